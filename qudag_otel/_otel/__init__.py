"""The only room that names what OpenTelemetry keeps private, each with a public route behind it."""
