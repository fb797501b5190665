"""Calls: one client each, from the handshake to the close."""
