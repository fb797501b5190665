"""``scripta usage``: what was used, as a table, as CSV or as JSON lines."""
