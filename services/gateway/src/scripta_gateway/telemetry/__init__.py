"""Telemetry: what is counted and timed."""
