"""Runs live sessions and prints what they hear."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from chaos.returning import speak_and_return
from chaos.sessions import Heard, Plan, speak

from .orders import Orders, Place, parse
from .reports import Account, Reporter
from .takes import CHUNK_BYTES, CHUNK_SECONDS, Takes

_REPORT_SECONDS = 0.5
_STAGGER_SECONDS = 0.9


async def speak_all(orders: Orders, place: Place) -> None:
    """Speaks until all sessions are over."""
    voices = [path.read_bytes() for path in place.voices]
    accounts = [Account(Heard()) for _ in range(orders.sessions)]
    reporters = [Reporter(number, account) for number, account in enumerate(accounts)]
    reporting = asyncio.create_task(_report(reporters))
    try:
        async with asyncio.TaskGroup() as group:
            for number, account in enumerate(accounts):
                pcm = voices[number % len(voices)]
                group.create_task(_speak(number, orders, place, pcm, account))
    finally:
        reporting.cancel()
        with suppress(asyncio.CancelledError):
            await reporting
    _print_news(reporters)


async def _speak(number: int, orders: Orders, place: Place, pcm: bytes, account: Account) -> None:
    seconds = len(pcm) / CHUNK_BYTES * CHUNK_SECONDS
    takes = Takes(pcm, orders.rounds(seconds), place.stop.exists)
    plan = Plan(
        name=f"session {number}",
        messages=takes,
        pace=orders.pace,
        delay=_STAGGER_SECONDS * number / orders.sessions,
        options={"interim_results": "true"} if orders.wants_interims(number) else {},
    )
    client = speak if orders.kind == "plain" else speak_and_return
    counting = asyncio.create_task(_count_rounds(takes, account))
    try:
        await client(place.url, plan, account.heard, orders.patience)
    finally:
        counting.cancel()
        account.rounds = takes.begun
        account.over = True


async def _count_rounds(takes: Takes, account: Account) -> None:
    while True:
        account.rounds = takes.begun
        await asyncio.sleep(_REPORT_SECONDS)


async def _report(reporters: Sequence[Reporter]) -> None:
    while True:
        _print_news(reporters)
        await asyncio.sleep(_REPORT_SECONDS)


def _print_news(reporters: Sequence[Reporter]) -> None:
    for reporter in reporters:
        if line := reporter.line():
            print(line, flush=True)


def main(arguments: Sequence[str]) -> None:
    """Does what a command line says."""
    asyncio.run(speak_all(*parse(arguments)))
