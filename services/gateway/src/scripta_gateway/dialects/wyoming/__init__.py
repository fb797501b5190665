"""The Wyoming dialect, over TCP: a voice assistant's utterance in, its transcript out."""

from scripta_gateway.dialects.wyoming.codec import WyomingDialect

__all__ = ["WyomingDialect"]
