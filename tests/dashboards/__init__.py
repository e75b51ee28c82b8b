"""Helpers and tests of the dashboards."""
