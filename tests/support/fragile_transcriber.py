"""A transcriber whose mock engine dies on one kind of audio, as native code does on a broken file.

A message of ``POISON_BYTES`` kills the process at once, with no word and no hand-off.
"""

from __future__ import annotations

import os
import signal

from scripta_transcriber.__main__ import main
from scripta_transcriber.engines.base import Segment, Transcript
from scripta_transcriber.engines.mock import MockEngine

POISON_BYTES = 666

_transcribe = MockEngine.transcribe


def _fragile(self: MockEngine, segment: Segment) -> Transcript:
    if segment.message_bytes == POISON_BYTES:
        os.kill(os.getpid(), signal.SIGKILL)
    return _transcribe(self, segment)


if __name__ == "__main__":
    MockEngine.transcribe = _fragile  # type: ignore[method-assign]
    main()
