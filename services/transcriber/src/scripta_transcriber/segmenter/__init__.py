"""Segmenters: where a session's audio is cut, decided by the audio alone."""
