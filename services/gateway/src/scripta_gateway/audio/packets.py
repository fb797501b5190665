"""Decodes packets, whoever cut them out."""

from __future__ import annotations

from typing import Any
from typing import Final as Constant

from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.packet import Packet

from scripta_gateway.audio.amr import is_pause
from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.inlet import Inlet

_BAD_IN_A_ROW: Constant = 50


class PacketDecoder:
    """Decodes packets into an inlet's sink; forgives some damage.

    Args:
        inlet: Has the sink.
        timed: Whether the packets' times are true.
    """

    def __init__(self, inlet: Inlet, *, timed: bool = False) -> None:
        self._inlet = inlet
        self._timed = timed
        self._bad = 0

    def decode(
        self,
        codec: AudioCodecContext,
        packet: Packet[Any],
        skip: int = 0,
        seconds: float = 0.0,
        time: float | None = None,
    ) -> float:
        """Decodes a packet without its first ``skip`` samples; returns its seconds of audio.

        A damaged one, or one that stands for a pause, becomes silence of ``seconds``.

        Args:
            codec: Decodes it.
            packet: The packet.
            skip: Samples at its start that are not audio of the stream.
            seconds: How long it probably is.
            time: When its audio begins, if not the packet but others say it.

        Raises:
            AudioError: Too many packets in a row were damaged.
        """
        if is_pause(codec.name, bytes(packet)):
            self._inlet.sink.silence(seconds)
            return seconds
        frames = self.frames_of(codec, packet)
        self.count(damaged=frames is None)
        if frames is None:
            self._inlet.sink.silence(seconds)
        for frame in frames or ():
            self._inlet.sink.add(frame, skip, frame.time if self._timed else time)
            time = None
        return sum(frame.samples / frame.sample_rate for frame in frames or ())

    def count(self, *, damaged: bool) -> None:
        """Counts damaged packets in a row.

        Raises:
            AudioError: They are too many.
        """
        self._bad = self._bad + 1 if damaged else 0
        if self._bad >= _BAD_IN_A_ROW:
            raise AudioError(f"the {self._inlet.name} data is damaged")

    def frames_of(self, codec: AudioCodecContext, packet: Packet[Any]) -> list[AudioFrame] | None:
        """Returns what is in a packet without passing it on; ``None`` if it is damaged."""
        try:
            return codec.decode(packet)
        except FFmpegError:
            return None
