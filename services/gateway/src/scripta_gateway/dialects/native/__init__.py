"""The native dialect at ``/ws``: raw or coded audio in, acknowledgements and transcripts out."""

from scripta_gateway.dialects.native.codec import NativeCodec, NativeDialect

__all__ = ["NativeCodec", "NativeDialect"]
