"""Sessions that can not be taken up again: errors that say how much is lost, and new sessions."""

from __future__ import annotations

import asyncio
import json

import pytest
from reconnect_acts import ONE, RAW, TWO, Acts, converse, taken_up

import scripta_client
from scripta_client import (
    Ended,
    Final,
    Refused,
    Restarted,
    SessionFailed,
    SessionLost,
)

pytestmark = pytest.mark.asgi


@pytest.mark.parametrize("reason", ["unknown", "mid_file", "failed"])
async def test_lost_session_is_an_error_that_says_why_and_how_much(gateway, reason):
    gone = asyncio.Event()

    async def broken(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.final(1, "half", 0.0, 0.5)
        peer.drop()

    async def lost(peer):
        await peer.open(session="s-2", reason=reason)
        await peer.socket.wait_closed()
        gone.set()

    async with asyncio.timeout(15):
        with pytest.raises(SessionLost) as caught:
            await converse(Acts(broken, lost), gateway, bytes(32_000))
        await gone.wait()
    assert (caught.value.reason, caught.value.seconds_lost) == (reason, 0.5)


async def test_lost_session_goes_on_in_a_new_one_if_that_is_wanted(gateway):
    heard = []

    async def broken(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.audio()
        await peer.final(1, "half", 0.0, 0.5)
        peer.drop()

    async def fresh(peer):
        await peer.open(session="s-2", reason="unknown")
        heard.append(await peer.until_end())
        await peer.final(1, "rest", 0.0, 0.25)
        await peer.over(0.25)

    second = bytes(32_000)
    events = await converse(Acts(broken, fresh), gateway, second, ONE, on_lost="continue")
    assert heard == [ONE]
    half, _, restarted, rest, ended = events
    assert (restarted.reason, restarted.seconds_lost) == ("unknown", 0.5)
    assert isinstance(restarted, Restarted)
    assert [(final.index, final.start, final.end) for final in (half, rest)] == [
        (1, 0.0, 0.5),
        (2, 1.0, 1.25),
    ]
    assert ended == Ended(1.25)


GONE = 'Model "nova" of this session is not served any more (known: moon); connect again.'


def losing_its_model(close=1012):
    """Has words for half of the first message, then nobody with the session's model."""

    async def script(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.final(1, "half", 0.0, 0.5)
        await peer.say(status="error", error=GONE, code="model_gone")
        await peer.socket.close(close)

    return script


# A gateway that does not know the code yet closes with 1011.
@pytest.mark.parametrize("close", [1012, 1011])
async def test_session_whose_model_is_gone_goes_on_in_a_new_one_if_that_is_wanted(gateway, close):
    heard = []

    async def fresh(peer):
        await peer.open(session="s-2")
        heard.append(await peer.until_end())
        await peer.final(1, "rest", 0.0, 0.25)
        await peer.over(0.25)

    acts = Acts(losing_its_model(close), fresh)
    events = await converse(acts, gateway, bytes(32_000), ONE, on_lost="continue")
    assert heard == [ONE]
    assert "resume" not in acts.asked[1]
    half, trying, restarted, rest, ended = events
    assert GONE in trying.why
    assert isinstance(restarted, Restarted)
    assert (restarted.reason, restarted.seconds_lost) == ("model_gone", 0.5)
    assert [(final.index, final.start) for final in (half, rest)] == [(1, 0.0), (2, 1.0)]
    assert ended == Ended(1.25)


async def test_session_whose_model_is_gone_is_an_error_in_the_servers_words(gateway):
    acts = Acts(losing_its_model())
    with pytest.raises(SessionLost) as caught:
        await converse(acts, gateway, bytes(32_000))
    assert GONE in str(caught.value)
    assert (caught.value.reason, caught.value.seconds_lost) == ("model_gone", 0.5)
    assert len(acts.asked) == 1


async def test_session_whose_model_is_gone_is_an_error_where_nothing_is_tried_again(gateway):
    acts = Acts(losing_its_model())
    with pytest.raises(SessionFailed) as caught:
        await converse(acts, gateway, bytes(32_000), on_lost="continue", reconnect=False)
    assert (caught.value.code, caught.value.message) == ("model_gone", GONE)
    assert len(acts.asked) == 1


async def test_model_that_is_gone_and_asked_for_by_name_is_refused_once(gateway, refuse):
    unknown = 'There is no model "nova" here (known: moon)'
    answers = [None, refuse(400, f'{{"status":"error","error":{json.dumps(unknown)}}}')]
    async with asyncio.timeout(15):
        async with (
            gateway(losing_its_model(), lambda: answers.pop(0)) as server,
            scripta_client.connect(server.url, model="nova", on_lost="continue", **RAW) as session,
        ):
            await session.send(bytes(32_000))
            with pytest.raises(Refused) as caught:
                _ = [event async for event in session]
    assert (caught.value.status, caught.value.message) == (400, unknown)
    assert not answers


async def test_session_that_took_nothing_goes_on_in_a_new_one_by_itself(gateway):
    heard = []

    async def broken(peer):
        await peer.open()
        await peer.audio()
        peer.drop()

    async def fresh(peer):
        await peer.open(session="s-2", reason="unknown")
        heard.append(await peer.until_end())
        await peer.over()

    events = await converse(Acts(broken, fresh), gateway, ONE, TWO, encoding=None)
    assert heard == [ONE + TWO]
    assert [event.seconds_lost for event in events if isinstance(event, Restarted)] == [0.0]


async def test_session_that_ended_while_we_were_away_is_read_and_a_new_one_goes_on(gateway):
    heard = []

    async def broken(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.audio()
        peer.drop()

    async def ended(peer):
        await peer.open(resumed=True, received=1)
        await peer.final(1, "first", 0.0, 0.9)
        await peer.audio()
        await peer.say(status="error", error="The stream has ended; open a new connection")
        await peer.over()

    async def fresh(peer):
        await peer.open(session="s-2")
        heard.append(await peer.until_end())
        await peer.final(1, "second", 0.0, 0.5)
        await peer.over(0.5)

    acts = Acts(broken, ended, fresh)
    events = await converse(acts, gateway, bytes(32_000), ONE)
    assert heard == [ONE]
    assert "resume" not in acts.asked[2]
    finals = [event for event in events if isinstance(event, Final)]
    assert [(final.index, final.text, final.start) for final in finals] == [
        (1, "first", 0.0),
        (2, "second", 1.0),
    ]
    assert [event.seconds_lost for event in events if isinstance(event, Restarted)] == [0.0]
    assert events[-1] == Ended(1.5)


async def test_server_that_has_less_than_it_acknowledged_has_lost_audio(gateway):
    async def broken(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.ack(await peer.audio())
        peer.drop()

    with pytest.raises(SessionLost) as caught:
        await converse(Acts(broken, taken_up(1)), gateway, ONE, TWO, end=False)
    assert caught.value.reason == "audio_missing"
