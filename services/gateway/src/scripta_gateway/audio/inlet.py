"""A decoder's end of its stream: a blocking file of the bytes that have come and will come.

The decoder reads from it as from a file and puts its audio into the sink. Whenever it needs more
bytes, the command at hand is answered and the next one is waited for.
"""

from __future__ import annotations

import os
import socket
from typing import Final as Constant

from scripta_gateway.audio.confinement import give_way
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.extent import Extent
from scripta_gateway.audio.frames import PcmSink
from scripta_gateway.audio.steps import COMMAND_HEAD, Command, Opening, Report
from scripta_gateway.bounds import MAX_PICTURE_BYTES

_RECV_BYTES: Constant = 16 * 1024
_LIVE_SLICES: Constant = 3
"""Slices of one command from which on a stream is an upload: nobody speaks six seconds at once."""
_HEADERS_PART: Constant = 64
"""Headers alone are at most this part of what a stream may bring without any audio."""


class Channel:
    """The socket to the gateway; when the gateway has gone, the process ends at once."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._ahead = b""

    def receive(self) -> tuple[Command, bytes]:
        """Returns the next command and its payload."""
        data = self._ahead
        while len(data) < COMMAND_HEAD.size:
            data += self._some(_RECV_BYTES)
        command, size = COMMAND_HEAD.unpack_from(data)
        end = COMMAND_HEAD.size + size
        while len(data) < end:
            data += self._some(max(_RECV_BYTES, end - len(data)))
        # Only an opening has the next command right behind it.
        self._ahead = data[end:]
        return Command(command), data[COMMAND_HEAD.size : end]

    def send(self, report: Report) -> None:
        """Answers the command at hand."""
        try:
            self._stream.sendall(report.packed())
        except OSError:
            os._exit(0)

    def _some(self, size: int) -> bytes:
        try:
            data = self._stream.recv(size)
        except OSError:
            data = b""
        if not data:
            # Nobody is left who could be told anything; C code is perhaps on the stack.
            os._exit(0)
        return data


class Inlet:
    """The file that a decoder reads from.

    Attributes:
        name: The kind of audio, for messages to clients.
        sink: Takes the frames.
        file_bytes: Bytes that may be kept of a file that has to be complete.
        ended: Whether no more bytes will come.
        at_rest: Set by the pump: whether the stream may be over here.
        excused: Set by the pump: bytes are those of a picture or an index, of which a stream may
            have as many as a file that is kept.
        fruitless_limit: Bytes without any audio after which the stream is refused.
        kept: Set by the pump: bytes that it keeps of a file that has to be complete.
        hungry: Set where the stream ended for want of memory.
    """

    def __init__(self, channel: Channel, opening: Opening, extent: Extent | None) -> None:
        self.name = opening.kind
        self.sink = PcmSink(self._give, separate=opening.separate)
        self.file_bytes = opening.file_bytes
        self.ended = False
        self.at_rest = False
        self.excused = False
        self.fruitless_limit = opening.fruitless_bytes
        self.kept = 0
        self.hungry = False
        self._channel = channel
        self._extent = extent
        self._data = memoryview(b"")
        self._end: int | None = None
        self._fruitless = 0
        self._excused = 0
        self._frames_seen = 0
        self._jumps_seen = 0
        self._busy = False
        self._slices = 0
        self._gave_way = False

    def read(self, size: int) -> bytes:
        """Returns up to ``size`` bytes, waiting for at least one; none at the end.

        Raises:
            AudioError: It went on too long without any audio.
        """
        while not self._data and not self.ended:
            if self._end is not None:
                self.ended = True
            else:
                self._next_command()
        part = bytes(self._data[:size])
        self._data = self._data[size:]
        self._count(len(part))
        return part

    @property
    def pending(self) -> bool:
        """Whether a read would find bytes without waiting."""
        return bool(self._data)

    def finish(self, error: str | None, *, fault: bool = False) -> None:
        """Answers the command at hand for the last time."""
        if not self._busy:
            self._channel.receive()
        report = Report(
            self.sink.take(),
            ended=True,
            at_end=self.ended and not self._data,
            end=self._end,
            error=error,
            fault=fault,
            hungry=self.hungry,
            jumped=self._jumped(),
            voices=self.sink.voices,
        )
        self._channel.send(report)

    def _give(self, pcm: bytes) -> None:
        """Gives a slice and waits until the gateway has room for the next."""
        self._channel.send(Report(pcm, more=True, kept=self.kept, voices=self.sink.voices))
        self._channel.receive()
        self._slices += not self.sink.in_gap
        if self._slices == _LIVE_SLICES and not self._gave_way:
            self._gave_way = True
            give_way()

    def _next_command(self) -> None:
        """Answers that more bytes are needed and waits for what the gateway says."""
        if self._busy:
            self._answer()
        command, data = self._channel.receive()
        self._busy = True
        self._slices = 0
        match command:
            case Command.DATA:
                if self._extent is not None:
                    self._end = self._extent.take(data)
                self._data = memoryview(data)[: self._end]
            case Command.FLUSH:
                self._flush()
            case Command.END:
                self.ended = True
            case Command.OPEN | Command.NEXT:
                raise ValueError(f"{command.name} came where it means nothing")

    def _answer(self) -> None:
        extent = self._extent
        report = Report(
            self.sink.take(),
            at_rest=self.at_rest,
            beginning=extent is not None and extent.expects_another_beginning(),
            kept=self.kept,
            jumped=self._jumped(),
            voices=self.sink.voices,
        )
        self._channel.send(report)

    def _jumped(self) -> bool:
        """Returns whether the track's clock has jumped since this was asked last."""
        seen, self._jumps_seen = self._jumps_seen, self.sink.jumps
        return self._jumps_seen > seen

    def _flush(self) -> None:
        self.sink.flush()
        hopeless = not self.sink.frames and not self.excused
        if hopeless and self._fruitless >= self.fruitless_limit // _HEADERS_PART:
            raise AudioError(f"no audio was found in the {self.name} data")

    def _count(self, size: int) -> None:
        if self.sink.frames != self._frames_seen:
            self._frames_seen, self._fruitless = self.sink.frames, 0
        if self.excused:
            self._excused += size
        else:
            self._fruitless += size
        too_much = self._excused > MAX_PICTURE_BYTES
        if too_much or self._fruitless > self.fruitless_limit:
            raise AudioError(f"no audio was found in the {self.name} data")
