"""Calls to the outside: recordings that are fetched, and results that are sent to a URL."""
