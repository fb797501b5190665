"""Client audio of any kind to mono s16le at 16 kHz.

``decoder`` is what the rest of the gateway uses. It picks a source for each file or stream:
``raw`` and ``wav`` work on the event loop, ``coded`` on a thread (``inlet`` and ``pump`` are the
two ends of it, ``demux`` and ``elementary`` what it runs). ``extent`` finds where a file ends.
"""

from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.limits import SHARED_BUDGET, DecoderLimits, StreamBudget

__all__ = [
    "SHARED_BUDGET",
    "AudioDecoder",
    "AudioError",
    "AudioFormat",
    "DecoderLimits",
    "StreamBudget",
]
