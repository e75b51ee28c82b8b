"""A fleet of simulated nodes, whose series go over OTLP into the real Prometheus."""
