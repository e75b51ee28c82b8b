"""From OTEL_* variables and arguments to checked settings: variables -> parsers -> settings."""
