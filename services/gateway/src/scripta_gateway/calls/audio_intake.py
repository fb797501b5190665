"""The way of a client's audio into the sessions of its call: decoded, and entered as it comes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from scripta_common.errors import BadAudio, BadRequest, ScriptaError
from scripta_gateway.audio.decoder import AudioDecoder, AudioFormat
from scripta_gateway.audio.doubt import warning
from scripta_gateway.audio.voices import split
from scripta_gateway.calls.channels import Channels
from scripta_gateway.calls.record import CallRecord
from scripta_gateway.calls.tools import Tools
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.base import Policy
from scripta_gateway.telemetry import metrics

logger = logging.getLogger(__name__)


class AudioIntake:
    """What one call takes in.

    Args:
        channels: The sessions that audio is entered into.
        format: What the client says about its audio.
        policy: What its dialect leaves to the call.
        tools: What the call works with.
        record: Where refused messages are counted.
        tell: Tells the client something at once.
        add_voices: Adds so many channels, once the audio says how many voices there are.

    Attributes:
        arrived: When the message at hand arrived, on the monotonic clock.
    """

    def __init__(
        self,
        channels: Channels,
        format: AudioFormat,
        policy: Policy,
        tools: Tools,
        record: CallRecord,
        tell: Callable[[told.Told], Awaitable[object]],
        add_voices: Callable[[int], Awaitable[None]],
    ) -> None:
        self._channels = channels
        self._policy = policy
        self._tools = tools
        self._record = record
        self._tell = tell
        self._add_voices = add_voices
        self._format = format
        self._decoder = AudioDecoder(format, budget=tools.budget)
        self.arrived = 0.0

    async def take(self, audio: asks.Audio) -> None:
        """Takes a message of audio, and answers it; raises as ``refuse``."""
        if self._channels.ending:
            self.refuse("The stream has ended; open a new connection for more audio")
            return
        size = len(audio.data) if audio.size is None else audio.size
        try:
            await self._enter_audio(audio.data, size)
        except BadAudio as error:
            self._refuse_audio(error)
        else:
            self._channels.first.inflow.accept(told.Accepted(size) if self._policy.acks else None)

    async def take_rest(self, *, end: bool) -> None:
        """Enters what the decoder holds back, at a pause or (``end``) for good."""
        try:
            async for pcm in self._decoder.flush(end=end):
                await self._open_voices()
                self._enter(pcm, 0)
                await self.wait_for_room()
        except BadAudio as error:  # a file that was cut short; the boundary stands all the same
            ends = self._policy.refusals_end or not self._policy.goes_on_after_bad_audio
            if ends and not self._channels.seconds:
                self._refuse_audio(error)
            elif not self._policy.refusals_end:
                refused = told.Refused(f"Audio cannot be decoded: {error}", error)
                self._record.refused()
                self._channels.first.inflow.refuse(refused)
        await self._tell_doubt()

    async def change(self, format: AudioFormat) -> None:
        """Decodes another format from now on."""
        if format != self._format:
            await self._decoder.close()
            self._format = format
            self._decoder = AudioDecoder(format, budget=self._tools.budget)

    def refuse(self, message: str, detail: object = None) -> None:
        """Answers a message that is refused.

        Raises:
            ScriptaError: It is what is wrong, and the dialect does not go on after that.
            TooManyRefusals: The client goes on and on like this.
        """
        if isinstance(detail, BadAudio) and not self._policy.goes_on_after_bad_audio:
            raise detail
        self._record.refused()
        if self._policy.refusals_end:
            raise detail if isinstance(detail, ScriptaError) else BadRequest(message)
        self._channels.first.inflow.refuse(told.Refused(message, detail))

    async def wait_for_room(self) -> None:
        """Waits while a session can not take more, or the process holds too much."""
        await self._channels.wait_for_room()
        for channel in self._channels:
            await self._tools.hub.held_audio.wait_for_room(channel.session)

    async def close(self) -> None:
        """Ends what decodes."""
        await self._decoder.close()

    async def _enter_audio(self, message: bytes, size: int) -> None:
        """Decodes a message and enters its audio into the session.

        Its audio comes in slices. The next one is decoded when there is room for the one before,
        so that a small message that holds hours of audio is never held as a whole.

        Raises:
            BadAudio: It can not be decoded; what of it was decoded before stays entered, and the
                session goes on.
        """
        last: bytes | None = None
        try:
            async for pcm in self._decoder.feed(message):
                await self._open_voices()
                if last is not None:
                    self._enter(last, 0, more=True)
                    await self.wait_for_room()
                last = pcm
        except BadAudio:
            if last is not None:
                self._enter(last, 0)
            raise
        self._enter(last or b"", size)
        await self._tell_doubt()

    def _refuse_audio(self, error: BadAudio) -> None:
        message = f"Audio cannot be decoded: {error}"
        self.refuse(message, BadAudio(message) if self._policy.refusals_end else error)

    async def _open_voices(self) -> None:
        missing = self._decoder.voices - self._channels.count
        if missing > 0:
            await self._add_voices(missing)

    def _enter(self, pcm: bytes, message_bytes: int, *, more: bool = False) -> None:
        self._channels.enter(
            split(pcm, self._channels.count),
            message_bytes,
            at_rest=self._decoder.at_rest,
            more=more,
            arrived=self.arrived,
            ends_file=self._decoder.between_files,
        )

    async def _tell_doubt(self) -> None:
        doubt = self._decoder.take_doubt()
        if doubt is not None:
            metrics.DOUBTS[doubt].inc()
            logger.warning("raw audio looks wrong", extra={"looks_like": doubt.value})
            await self._tell(told.Warned(warning(doubt)))
