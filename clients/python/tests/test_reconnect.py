"""Clients whose connection breaks, and how they come back to their session."""

from __future__ import annotations

import asyncio

import pytest
from reconnect_acts import ONE, RAW, THREE, TWO, Acts, converse, taken_up

import scripta_client
from scripta_client import (
    Backoff,
    ConnectionLost,
    Ended,
    Final,
    GoingAway,
    ReconnectFailed,
    Reconnecting,
    Refused,
    Resumed,
    ServerSilent,
    SessionFailed,
)

pytestmark = pytest.mark.asgi


def results(events):
    """The events without what tells how the connection fared."""
    return [event for event in events if not isinstance(event, Reconnecting | Resumed)]


async def test_drop_in_mid_message_sends_it_again_whole(gateway):
    heard = []

    async def broken(peer):
        await peer.open()
        await peer.audio()
        peer.drop()

    acts = Acts(broken, taken_up(0, heard=heard))
    events = await converse(acts, gateway, ONE, TWO, THREE)
    assert heard == [ONE + TWO + THREE]
    assert results(events) == [Ended(1.0)]
    trying, resumed, _ = events
    assert (trying.attempt, trying.delay) == (1, 0.0)
    assert "code 1006" in trying.why
    assert resumed.seconds >= 0
    assert acts.asked[1] == acts.asked[0] | {"resume": "s-1.secret", "from": "0"}


@pytest.mark.parametrize(("received", "left"), [(1, TWO + THREE), (2, THREE), (3, b"")])
async def test_what_the_server_has_is_not_sent_again(gateway, received, left):
    """Acknowledgements are lost with the connection; the count of the first frame stands."""
    heard = []

    async def broken(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.audio()
        await peer.audio()
        peer.drop()

    await converse(Acts(broken, taken_up(received, heard=heard)), gateway, ONE, TWO, THREE)
    assert heard == [left]


async def test_end_that_was_not_answered_is_sent_again(gateway):
    async def broken(peer):
        await peer.open()
        await peer.until_end()
        peer.drop()

    events = await converse(Acts(broken, taken_up(2, finals=[1])), gateway, ONE, TWO)
    assert results(events)[-1] == Ended(1.0)


async def test_finalize_keeps_its_place_among_what_is_sent_again(gateway):
    heard = []

    async def broken(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.control()
        await peer.audio()
        peer.drop()

    async def resumed(peer):
        await peer.open(resumed=True, received=1)
        heard.extend([await peer.control(), await peer.audio()])
        await peer.ack(TWO)
        await peer.until_end()
        await peer.over()

    async with asyncio.timeout(15):
        async with (
            gateway(Acts(broken, resumed)) as server,
            scripta_client.connect(server.url, **RAW) as session,
        ):
            await session.send(ONE)
            await session.finalize()
            await session.send(TWO)
            await session.end()
            _ = [event async for event in session]
    assert heard == ["finalize", TWO]


async def test_each_final_is_handed_out_once_over_several_breaks(gateway):
    async def first(peer):
        await peer.open()
        await peer.final(1, "final 1", 0, 1)
        await peer.final(2, "final 2", 1, 2)
        peer.drop()

    async def second(peer):
        await peer.open(resumed=True)
        await peer.final(2, "final 2", 1, 2)
        await peer.final(3, "final 3", 2, 3)
        peer.drop()

    acts = Acts(first, second, taken_up(0, finals=[3, 4]))
    events = await converse(acts, gateway, ONE)
    assert [event.index for event in events if isinstance(event, Final)] == [1, 2, 3, 4]
    assert [asked.get("from") for asked in acts.asked] == [None, "2", "3"]
    assert [event.attempt for event in events if isinstance(event, Reconnecting)] == [1, 1]


async def test_gateway_that_goes_away_is_left_promptly(gateway):
    async def leaving(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        await peer.say(status="going_away", received=1)
        await peer.socket.close(1012)

    backoff = Backoff(first=1000.0, longest=1000.0, prompt=0.01, jitter=lambda: 1.0)
    acts = Acts(leaving, taken_up(1))
    events = await converse(acts, gateway, ONE, backoff=backoff)
    assert events[0] == GoingAway()
    assert (events[1].attempt, events[1].delay) == (1, 0.01)
    assert isinstance(events[2], Resumed)


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
async def test_close_that_may_pass_is_followed_by_another_connection(gateway, code):
    async def broken(peer):
        await peer.open()
        await peer.socket.close(code)

    events = await converse(Acts(broken, taken_up(0)), gateway, ONE)
    assert results(events) == [Ended(1.0)]


async def test_failure_that_may_pass_is_followed_by_another_connection(gateway):
    async def failed(peer):
        await peer.open()
        await peer.say(status="error", error="No transcriber", code="no_capacity")
        await peer.socket.close(1013)

    events = await converse(Acts(failed, taken_up(0)), gateway, ONE)
    assert "No transcriber" in events[0].why
    assert results(events) == [Ended(1.0)]


@pytest.mark.parametrize("code", [1000, 1008, 1009])
async def test_close_that_would_come_again_is_final(gateway, code):
    async def closed(peer):
        await peer.open()
        await peer.socket.close(code)

    acts = Acts(closed)
    with pytest.raises(ConnectionLost) as caught:
        await converse(acts, gateway, ONE, end=False)
    assert caught.value.code == code
    assert len(acts.asked) == 1


async def test_superseded_connection_does_not_come_back(gateway):
    async def superseded(peer):
        await peer.open()
        await peer.say(status="error", error="Another connection has it", code="superseded")
        await peer.socket.close(1008)

    acts = Acts(superseded)
    with pytest.raises(SessionFailed) as caught:
        await converse(acts, gateway, ONE)
    assert caught.value.code == "superseded"
    assert len(acts.asked) == 1


async def test_refusals_are_tried_again_when_the_server_says(gateway, refuse):
    async def broken(peer):
        await peer.open()
        peer.drop()

    answers = [None, refuse(503, "full", Retry_After="0"), refuse(502, ""), None]
    acts = Acts(broken, taken_up(0))
    events = await converse(
        acts, lambda script: gateway(script, lambda: answers.pop(0)), ONE, THREE
    )
    tries = [event for event in events if isinstance(event, Reconnecting)]
    assert [event.attempt for event in tries] == [1, 2, 3]
    assert "full" in tries[1].why
    assert results(events) == [Ended(1.0)]


async def test_wait_that_the_server_asks_for_is_kept(gateway, refuse):
    async def broken(peer):
        await peer.open()
        peer.drop()

    answers = [None, refuse(503, "", Retry_After="1"), None]
    acts = Acts(broken, taken_up(0))
    events = await converse(acts, lambda script: gateway(script, lambda: answers.pop(0)), ONE)
    assert [event.delay for event in events if isinstance(event, Reconnecting)] == [0.0, 1.0]


async def test_client_ahead_of_the_server_comes_back_from_what_that_has(gateway, refuse):
    """A broker that lost its last moments makes the same results again, from its audio."""

    async def broken(peer):
        await peer.open()
        await peer.ack(await peer.audio())
        for index in (1, 2, 3):
            await peer.final(index, f"final {index}", index - 1, index)
        await peer.audio()
        peer.drop()

    acts = Acts(broken, taken_up(1, finals=[2, 3, 4]))
    answers = [None, refuse(400, '{"status":"error","error":"beyond","index":1}'), None]
    events = await converse(acts, lambda script: gateway(script, lambda: answers.pop(0)), ONE, TWO)
    finals = [event.index for event in events if isinstance(event, Final)]
    assert finals == [1, 2, 3, 4]
    assert acts.asked[1]["from"] == "1"


@pytest.mark.parametrize("index", ["3", "4", '"1"', "true", "-1", "null"])
async def test_server_that_refuses_all_places_is_not_asked_for_ever(gateway, refuse, index):
    async def broken(peer):
        await peer.open()
        await peer.audio()
        for number in (1, 2, 3):
            await peer.final(number, f"final {number}", number - 1, number)
        peer.drop()

    body = f'{{"status":"error","error":"beyond","index":{index}}}'
    answers = [None, refuse(400, body)]
    with pytest.raises(Refused, match="beyond"):
        await converse(Acts(broken), lambda script: gateway(script, lambda: answers.pop(0)), ONE)


async def test_refusal_that_will_not_pass_is_raised(gateway, refuse):
    async def broken(peer):
        await peer.open()
        peer.drop()

    answers = [None, refuse(403, "not for you")]
    with pytest.raises(Refused, match="not for you"):
        await converse(Acts(broken), lambda script: gateway(script, lambda: answers.pop(0)), ONE)


async def test_connection_that_breaks_before_its_first_frame_is_one_more_try(gateway):
    async def broken(peer):
        peer.drop()

    acts = Acts(broken, broken, broken, taken_up(0))
    events = await converse(acts, gateway, ONE)
    assert [event.attempt for event in events if isinstance(event, Reconnecting)] == [1, 2, 3]


async def test_connections_that_bring_nothing_are_one_outage(gateway):
    async def useless(peer):
        await peer.open(resumed="resume" in peer.asked)
        peer.drop()

    acts = Acts(useless, useless, useless, taken_up(0))
    events = await converse(acts, gateway, ONE)
    assert [event.attempt for event in events if isinstance(event, Reconnecting)] == [1, 2, 3]


async def test_server_that_only_lets_us_in_and_answers_nothing_is_given_up(gateway):
    """As it is without a transcriber: held back for long, a connection seems dead to its pings."""

    async def useless(peer):
        await peer.open(resumed="resume" in peer.asked)
        await asyncio.sleep(0.1)  # so long it seems to be alive
        peer.drop()

    with pytest.raises(ServerSilent):
        await converse(Acts(*[useless] * 50), gateway, ONE, response_timeout=0.5)


async def test_patience_ends_and_the_error_says_what_is_lost(gateway):
    async def once(peer):
        await peer.open(resume_seconds=0.3)
        await peer.ack(await peer.audio())
        await peer.audio()
        await peer.final(1, "half", 0.0, 0.5)
        server.close()
        peer.drop()

    second = bytes(32_000)
    async with asyncio.timeout(15):
        async with gateway(once) as server:
            backoff = Backoff(first=0.05, longest=0.1, jitter=lambda: 1.0)
            connecting = scripta_client.connect(server.url, encoding="linear16", backoff=backoff)
            async with connecting as session:
                await session.send(second)
                await session.send(second)
                await session.end()
                with pytest.raises(ReconnectFailed) as caught:
                    _ = [event async for event in session]
    error = caught.value
    assert 0.3 <= error.seconds < 5
    assert (error.unsent_bytes, error.seconds_lost) == (32_000, 0.5)
    assert "nothing listens there" in error.why


async def test_patience_can_be_set(gateway):
    async def once(peer):
        await peer.open()
        server.close()
        peer.drop()

    async with asyncio.timeout(15):
        async with (
            gateway(once) as server,
            scripta_client.connect(server.url, reconnect_seconds=0.1, **RAW) as session,
        ):
            with pytest.raises(ReconnectFailed):
                _ = [event async for event in session]


@pytest.mark.parametrize("off", [{"reconnect": False}, {"reconnect_seconds": 0}])
async def test_reconnecting_can_be_switched_off(gateway, off):
    async def broken(peer):
        await peer.open()
        peer.drop()

    acts = Acts(broken)
    with pytest.raises(ConnectionLost):
        await converse(acts, gateway, ONE, **off)
    assert len(acts.asked) == 1


async def test_sending_goes_on_during_a_break_until_too_much_is_unacknowledged(gateway):
    back = asyncio.Event()
    heard = []

    async def broken(peer):
        await peer.open()
        peer.drop()

    async def late(peer):
        await back.wait()
        await taken_up(0, heard=heard)(peer)

    async with asyncio.timeout(15):
        async with (
            gateway(Acts(broken, late)) as server,
            scripta_client.connect(server.url, max_unacknowledged=500, **RAW) as session,
        ):
            assert isinstance(await anext(session), Reconnecting)
            await session.send(ONE)
            await session.send(TWO)
            third = asyncio.create_task(session.send(THREE))
            await asyncio.sleep(0)
            assert not third.done()
            assert session.unacknowledged_bytes == 400
            back.set()
            await third
            await session.end()
            _ = [event async for event in session]
    assert heard == [ONE + TWO + THREE]


async def test_leaving_during_a_break_leaves_nothing_behind(gateway):
    async def broken(peer):
        await peer.open()
        peer.drop()

    backoff = Backoff(first=1000.0, longest=1000.0, jitter=lambda: 1.0)
    async with asyncio.timeout(15):
        async with (
            gateway(Acts(broken)) as server,
            scripta_client.connect(server.url, backoff=backoff) as session,
        ):
            assert isinstance(await anext(session), Reconnecting)
        with pytest.raises(ConnectionLost, match="closed on this side"):
            await anext(session)
