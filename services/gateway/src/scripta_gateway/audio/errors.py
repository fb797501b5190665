"""The one error of audio decoding."""

from __future__ import annotations

from scripta_common.errors import BadAudio


class AudioError(BadAudio):
    """A message is not audio that can be decoded; what was decoded before the damage stands.

    The message completes "Audio cannot be decoded: " and is written for the client. The decoder
    stays usable: it looks at the next message afresh.
    """
