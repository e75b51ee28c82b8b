"""The rules of Prometheus and the routing of Alertmanager, generated from the catalogue."""
