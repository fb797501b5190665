"""Damages media in every way that is cheap to think of, and lets a gateway's decoders read it.

``seeds`` makes small files of every container and codec, ``mutations`` damages them, ``drive``
feeds them to decoders beside neighbours that must not notice. ``make fuzz`` runs it.
"""
