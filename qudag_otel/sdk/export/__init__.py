"""From a finished span, point or record to its receiver: batch or periodic -> exporting -> otlp."""
