"""Models: those that a gateway serves, and those that can be fetched."""
