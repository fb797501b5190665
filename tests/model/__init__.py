"""The model of the promise: the real session log and decisions, scheduled step by step."""
