"""The /metrics endpoint: a metric reader, the exposition of what it collects, and a server."""
