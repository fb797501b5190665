"""A decoder's process: decodes one stream, from its opening to its end.

Forked by the zygote for that stream alone. Whatever the stream's bytes do to it (a crash, an
endless loop, memory without end), it is this process that goes, and this stream.
"""

from __future__ import annotations

import gc
import os
import socket
from typing import Final as Constant

from av.error import FFmpegError

from scripta_gateway.audio.confinement import bound_next_step, confine, free_last_words
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.inlet import Channel, Inlet
from scripta_gateway.audio.pumps import CODINGS, Pump
from scripta_gateway.audio.sniff import Kind
from scripta_gateway.audio.steps import Command, Opening
from scripta_gateway.bounds import MAX_STEP_CPU_SECONDS

STREAM_FD: Constant = 3
"""The stream's descriptor: behind the standard ones, the only one that the process has."""


class _BoundedChannel(Channel):
    """Bounds the processor time from one command to the next."""

    def receive(self) -> tuple[Command, bytes]:
        """Returns the next command and its payload."""
        received = super().receive()
        bound_next_step(MAX_STEP_CPU_SECONDS)
        return received


def decode_stream(stream: socket.socket) -> None:
    """Decodes what a socket brings; returns when the stream is over."""
    gc.enable()
    channel = _BoundedChannel(stream)
    stream.sendall(os.getpid().to_bytes(4, "little"))
    _, payload = channel.receive()
    opening = Opening.unpacked(payload)
    coding = CODINGS[Kind(opening.kind)]
    confine(opening.memory_bytes, STREAM_FD)
    inlet = Inlet(channel, opening, coding.extent() if coding.extent is not None else None)
    error, fault = _outcome(inlet, coding.pump)
    inlet.finish(error, fault=fault)


def _outcome(inlet: Inlet, pump: Pump) -> tuple[str | None, bool]:
    """Runs a pump to its end; returns its error, if any, and whether that is our fault."""
    try:
        pump(inlet)
        inlet.sink.flush()
    except AudioError as error:
        return str(error), False
    except MemoryError:
        free_last_words()
        inlet.hungry = True
        return f"the {inlet.name} data needs too much memory to decode", False
    except (FFmpegError, ValueError):
        return f"the {inlet.name} data is damaged or incomplete", False
    except Exception as error:
        return f"the {inlet.name} data could not be read ({type(error).__name__})", True
    if not inlet.sink.frames:
        return f"the {inlet.name} data holds no audio", False
    return None, False
