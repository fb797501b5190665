"""Compressed streams as sources: each decoded in a process of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Final as Constant

from scripta_gateway.audio.budget import StreamBudget
from scripta_gateway.audio.cutter import FRAMINGS, find_frames
from scripta_gateway.audio.decoder_process import DecoderLost, DecoderProcess
from scripta_gateway.audio.errors import AudioError, MessageRefused
from scripta_gateway.audio.limits import DecoderLimits
from scripta_gateway.audio.plausible import holds_compressed
from scripta_gateway.audio.processes import DecoderProcesses
from scripta_gateway.audio.sniff import Kind, begins_ogg_stream
from scripta_gateway.audio.steps import PIECE_BYTES, Command, Opening, Report
from scripta_gateway.audio.tags import tag_bytes
from scripta_gateway.bounds import Bound
from scripta_gateway.telemetry.metrics import BOUNDS_HIT, DECODERS_LOST

logger = logging.getLogger(__name__)


def _goes_on_framed(data: bytes) -> bool:
    begins = any(framing.could_begin(data) for framing in FRAMINGS) or tag_bytes(data) != 0
    return begins or find_frames(data)[0] is not None or holds_compressed(data)


def _goes_on_flac(data: bytes) -> bool:
    begins = data[:1] == b"\xff" and (len(data) < 2 or data[1] & 0xFE == 0xF8)
    return begins or holds_compressed(data)


_FRAMED: Constant = (Kind.MP3, Kind.AAC, Kind.MP2, Kind.MP1, Kind.AC3, Kind.LOAS)
_GOES_ON: Constant[dict[Kind, Callable[[bytes], bool]]] = {
    **dict.fromkeys(_FRAMED, _goes_on_framed),
    Kind.FLAC: _goes_on_flac,
}
"""Whether a message can continue a stream that was between two frames; others always can."""

_HEAD_BYTES: Constant = 4096
_KEPT_FACTOR: Constant = 2
"""Memory for a byte of a file that is kept: a buffer grows by more than comes in."""


class CodedSource:
    """A compressed file or stream.

    An error that comes with audio before it is raised by the next call, so that no audio is
    lost by it.
    """

    def __init__(
        self,
        kind: Kind,
        limits: DecoderLimits,
        budget: StreamBudget,
        processes: DecoderProcesses,
        *,
        separate: bool = False,
    ) -> None:
        self._separate = separate
        self.consumed: int | None = None
        self._kind = kind
        self._limits = limits
        self._budget = budget
        self._processes = processes
        self._process: DecoderProcess | None = None
        self._failure: AudioError | None = None
        self._any_pcm = False
        self._pcm_now = False
        self._kept = 0
        self._last = Report()
        self.voices = 1

    @property
    def at_rest(self) -> bool:
        """Never: the middle of a file means nothing without its start."""
        return False

    async def feed(self, data: memoryview) -> AsyncIterator[bytes]:
        """Yields the PCM that these bytes complete."""
        self.consumed, self._pcm_now = None, False
        if self._failure is not None:
            raise self._failure
        if self._last.ended:
            async for pcm in self.flush(end=True):
                yield pcm
            self.consumed = 0
            return
        if not self._goes_on(data):
            raise MessageRefused(
                f"it does not go on with the {self._kind} stream before it; begin a file, or open "
                "a new connection for raw audio"
            )
        for at in range(0, len(data), PIECE_BYTES):
            async for pcm in self._run(Command.DATA, data[at : at + PIECE_BYTES]):
                yield pcm
            if self._last.ended:
                if self._failure is None:
                    end = self._last.end
                    self.consumed = len(data) if end is None else at + end
                return

    async def flush(self, *, end: bool) -> AsyncIterator[bytes]:
        """Yields what is held back; raises what the stream failed with."""
        self._pcm_now = False
        if self._failure is not None:
            raise self._failure
        if not self._last.ended:
            async for pcm in self._run(Command.END if end else Command.FLUSH, memoryview(b"")):
                yield pcm

    def expects(self, head: bytes) -> bool:
        """Whether the message is one more stream of an Ogg file that is only beginning."""
        return self._kind is Kind.OGG and self._last.beginning and begins_ogg_stream(head)

    async def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            # A caller that is cancelled here leaves a process that has been told to end.
            await process.close()
        finally:
            self._budget.keep(-self._kept)
            self._kept = 0
            self._budget.close_stream()

    def _goes_on(self, data: memoryview) -> bool:
        could = _GOES_ON.get(self._kind)
        return could is None or not self._last.at_rest or could(bytes(data[:_HEAD_BYTES]))

    async def _run(self, command: Command, data: memoryview) -> AsyncIterator[bytes]:
        """Yields the PCM of one command."""
        report = await self._step(command, data)
        while report.more:
            self._any_pcm = self._pcm_now = True
            yield report.pcm
            report = await self._step(Command.NEXT)
        if report.pcm:
            self._any_pcm = self._pcm_now = True
            yield report.pcm
        if report.ended:
            await self.close()
        self._conclude(report)

    def _conclude(self, report: Report) -> None:
        self._last = report
        if report.jumped:
            BOUNDS_HIT[Bound.GAP_SECONDS].inc()
            logger.info("times in a stream jumped", extra={"kind": self._kind.value})
        if report.error is None:
            return
        if report.hungry:
            BOUNDS_HIT[Bound.DECODER_MEMORY].inc()
        if report.fault:
            logger.error("audio decoder failed", extra={"reason": report.error})
        if report.at_end and self._any_pcm:
            return  # an end that is cut off is no error where there was audio before
        self._failure = AudioError(report.error)
        if not self._pcm_now:
            raise self._failure

    async def _step(self, command: Command, data: memoryview | bytes = b"") -> Report:
        try:
            process = self._process or await self._open()
            report = await process.step(command, data)
        except DecoderLost as lost:
            raise self._lost(lost) from None
        self._keep(report.kept)
        self.voices = report.voices
        return report

    async def _open(self) -> DecoderProcess:
        limits = self._limits
        kept = _KEPT_FACTOR * limits.file_bytes if self._kind in (Kind.MP4, Kind.CAF) else 0
        opening = Opening(
            self._kind,
            limits.file_bytes,
            limits.fruitless_bytes,
            limits.memory_bytes + kept,
            self._separate,
        )
        self._budget.open_stream()
        self._process = DecoderProcess(self._processes, self._budget, opening, limits.step_seconds)
        try:
            await self._process.open()
        except DecoderLost:
            await self.close()
            raise AudioError(
                "this server can not open another compressed stream; try again later"
            ) from None
        return self._process

    def _keep(self, count: int) -> None:
        self._budget.keep(count - self._kept)
        self._kept = count

    def _lost(self, lost: DecoderLost) -> AudioError:
        logger.warning("decoder lost", extra={"kind": self._kind.value, "reason": str(lost)})
        DECODERS_LOST[str(lost)].inc()
        if lost.late:
            BOUNDS_HIT[Bound.DECODER_SECONDS].inc()
            return AudioError(f"the {self._kind} data takes too long to decode")
        if lost.hungry:
            BOUNDS_HIT[Bound.DECODER_MEMORY].inc()
            return AudioError(
                f"the {self._kind} data needs memory that this server has no more of; try again "
                "later or send raw audio"
            )
        return AudioError(f"the {self._kind} data could not be decoded: its decoder broke down")
