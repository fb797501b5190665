"""The options of a call, which its client may change, and the session that they then need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from scripta_common.errors import BadRequest, Forbidden, UnknownModel, UnsupportedLanguage
from scripta_gateway.calls.audio_intake import AudioIntake
from scripta_gateway.calls.channels import Channels
from scripta_gateway.dialects import asks, told
from scripta_gateway.dialects.asks import Options
from scripta_gateway.dialects.base import Policy
from scripta_gateway.sessions.opener import Opener
from scripta_gateway.sessions.session import Session


class Renewal:
    """Changes the options of one call.

    Args:
        options: Those that it begins with.
        channels: Its sessions.
        intake: Takes its audio.
        policy: What its dialect leaves to the call.
        opener: Opens sessions.
        end: Ends the stream of the session at hand.
        go_on: Goes on with another session in its place.

    Attributes:
        under_way: Whether the session at hand makes way for another.
    """

    def __init__(
        self,
        options: Options,
        channels: Channels,
        intake: AudioIntake,
        policy: Policy,
        opener: Opener,
        end: Callable[[], Awaitable[None]],
        go_on: Callable[[Session], None],
    ) -> None:
        self._options = options
        self._channels = channels
        self._intake = intake
        self._policy = policy
        self._opener = opener
        self._end = end
        self._go_on = go_on
        self.under_way = False
        # Seconds of audio in the sessions before the one at hand.
        self._behind = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of audio accepted, in all sessions of the call."""
        return self._behind + self._channels.seconds

    async def configure(self, ask: asks.Configure) -> None:
        """Changes the options, and answers it.

        Raises:
            ScriptaError: As ``AudioIntake.refuse``, and as ``Opener.renew``.
        """
        if ask.options != self._options:
            try:
                await self._change(ask.options)
            except (BadRequest, Forbidden, UnknownModel, UnsupportedLanguage) as error:
                self._intake.refuse(str(error), error if ask.detail is None else ask.detail)
                return
        session = self._channels.first.session
        heeds = self._opener.heeds_keyterms(session)
        self._channels.first.inflow.reply(told.Configured(ask.detail, self._behind, heeds))

    async def _change(self, options: Options) -> None:
        session = self._channels.first.session
        if session.spoken and self._policy.renews:
            await self._renew(options)
        else:
            await self._opener.configure(session, options.session)
        await self._intake.change(options.format)
        self._options = options

    async def _renew(self, options: Options) -> None:
        """Goes on with another session, once all of the one at hand has been told."""
        before = self._channels.first
        await self._opener.check(options.session, before.session.caller)
        self.under_way = True
        await self._end()
        await before.over.wait()  # cancelled, the call ends, and the session with it
        session = await self._opener.renew(before.session, options.session)
        self._behind += before.session.seconds
        self._go_on(session)
        self.under_way = False
