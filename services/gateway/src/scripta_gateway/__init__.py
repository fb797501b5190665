"""The gateway: holds connections, decodes audio into the session log, relays results."""
