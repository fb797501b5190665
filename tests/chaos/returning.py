"""A client that comes back: the Python client, streaming a plan like the plain one.

For faults that take the client's connection with them. What it hears is put into the plain
client's form, so that the same comparison holds for both.
"""

from __future__ import annotations

import asyncio

from scripta_client import Ended, Reconnecting, ScriptaError, Session, connect
from scripta_client import Final as ClientFinal

from .sessions import Final, Heard, Plan


async def speak_and_return(url: str, plan: Plan, heard: Heard, patience: float) -> None:
    """Streams over as many connections as it takes; as ``sessions.speak`` otherwise."""
    await asyncio.sleep(plan.delay)
    options = plan.options
    try:
        async with (
            asyncio.timeout(plan.seconds + patience),
            connect(
                url,
                interim_results=options.get("interim_results") == "true",
                endpointing=int(options["endpointing"]) if "endpointing" in options else None,
            ) as session,
        ):
            heard.sid = session.id
            began = asyncio.get_running_loop().time()
            listening = asyncio.create_task(_listen(session, heard, began))
            try:
                sent = await _send(session, plan, heard, began)
                await listening
            finally:
                listening.cancel()
            # The client ends without an error only if every message was acknowledged.
            heard.acks = sent
    except TimeoutError:
        heard.troubles.append("not over in time")
    except ScriptaError as error:
        heard.troubles.append(f"given up: {error}")


async def _send(session: Session, plan: Plan, heard: Heard, began: float) -> list[int]:
    """Sends the plan's audio and its end; returns the sizes of the messages."""
    clock = asyncio.get_running_loop().time
    sent: list[int] = []
    for number, message in enumerate(plan.messages):
        if not isinstance(message, bytes):
            raise TypeError("this client sends audio only")
        due = began + plan.first + number * plan.pace
        await asyncio.sleep(due - clock())
        heard.late = max(heard.late, clock() - due)
        await session.send(message)
        sent.append(len(message))
    await session.end()
    return sent


async def _listen(session: Session, heard: Heard, began: float) -> None:
    clock = asyncio.get_running_loop().time
    async for event in session:
        if isinstance(event, ClientFinal):
            heard.finals.append(_frame(event))
            heard.arrivals.append(clock() - began)
        elif isinstance(event, Ended):
            heard.duration = event.duration
        elif isinstance(event, Reconnecting) and event.attempt == 1:
            heard.closes.append(event.why)


def _frame(final: ClientFinal) -> Final:
    return {
        "text": final.text,
        "status": "transcript",
        "index": final.index,
        "start": final.start,
        "end": final.end,
        "reason": final.reason,
        "words": [{"word": w.text, "start": w.start, "end": w.end} for w in final.words],
        "words_estimated": final.words_estimated,
        "confidence": final.confidence,
        "language": final.language,
    }
