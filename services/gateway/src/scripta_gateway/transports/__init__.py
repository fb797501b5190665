"""Transports: what stands between a client's socket and a dialect, and what it may cost.

Bytes become requests, handshakes and messages here, all within the bounds of ``bounds``. Nothing
here knows sessions or audio.
"""
