"""Vendors' clients that speak while the transcriber of all of them is killed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import pytest
from vendors import Found, Running

from scripta_local.stack import Stack

ENV = {"IDLE_FLUSH_SECONDS": "30"}
"""No flush is added to the disturbance where the machine is slow."""


async def heard_while_killed(
    stack: Stack, clients: Mapping[str, AbstractAsyncContextManager[Running]]
) -> Found:
    """Returns what each client hears, or why it can not be installed.

    Args:
        stack: The system, with one transcriber; it is not started again by itself.
        clients: Clients by a name, each started with ``hold=True``.
    """
    found: Found = {}
    running: dict[str, Running] = {}
    async with AsyncExitStack() as there:
        for name, client in clients.items():
            try:
                running[name] = await there.enter_async_context(client)
            except pytest.skip.Exception as why:
                found[name] = str(why)
        for each in running.values():
            await each.ready()
        for each in running.values():
            each.begin()
        for each in running.values():
            await each.sent(1.0)
        # There is no other transcriber before: the first has the sessions of all.
        await stack.add_transcriber()
        await stack.kill_transcriber(0)
        for name, each in running.items():
            found[name] = await each.done()
    return found
