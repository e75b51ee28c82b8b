"""What every alert's runbook says, as data: for the page, `qudag-otel explain` and the tests."""
