"""Both halves of a session log on the shared, empty broker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from scripta_common.broker import Broker
from scripta_common.sessionlog import Claim, GatewayLog, SessionOptions, TranscriberLog

SID = "a-session"

MakeTranscriber = Callable[..., TranscriberLog]


@pytest.fixture
def gateway(broker: Broker) -> GatewayLog:
    return GatewayLog(broker, "gw", ttl=60)


@pytest.fixture
def make_transcriber(broker: Broker) -> MakeTranscriber:
    """Makes a transcriber's half; a short lease expires within a test."""

    def make(name: str, *, lease: float = 60) -> TranscriberLog:
        return TranscriberLog(broker, name, lease=lease, ttl=60)

    return make


@pytest_asyncio.fixture
async def transcriber(make_transcriber: MakeTranscriber) -> TranscriberLog:
    """A transcriber that has joined the group."""
    log = make_transcriber("tr")
    await log.join()
    return log


@pytest.fixture
def lease(gateway: GatewayLog, transcriber: TranscriberLog) -> Callable[..., Awaitable[Claim]]:
    """Opens a session and has the transcriber claim it."""

    async def do(sid: str = SID, by: TranscriberLog = transcriber) -> Claim:
        assert await gateway.open(sid, SessionOptions())
        assignment = await by.next_assignment(2)
        assert assignment is not None
        assert assignment.sid == sid
        claim = await by.claim(assignment)
        assert claim is not None
        return claim

    return do
