"""What every Scripta service shares: the session log, wire types, settings, telemetry."""
