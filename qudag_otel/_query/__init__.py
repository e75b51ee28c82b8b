"""What is asked of Prometheus: expressions, the client, units; no other room spells these."""
