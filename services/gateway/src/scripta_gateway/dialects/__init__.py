"""Dialects: the wire protocols that clients speak, one thin adapter each."""
