"""Alerts and dashboards: each alert quiet and firing, each expression held against the metrics."""
