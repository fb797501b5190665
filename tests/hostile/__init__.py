"""The attack suite: what one client can do to the others. See ``__main__``."""
