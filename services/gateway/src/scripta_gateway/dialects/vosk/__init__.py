"""The dialect of Vosk's server: one reply for each message of audio, in lockstep."""

from scripta_gateway.dialects.vosk.codec import VoskDialect

__all__ = ["VoskDialect"]
