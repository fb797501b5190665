"""A running system on a broker of any kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest_asyncio

from scripta_local.stack import Stack

from .chatter import ENV


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """Starts a gateway and a transcriber with the mock engine; nothing is started again."""
    async with AsyncExitStack() as stacks:

        async def do(redis_url: str, **options: Any) -> Stack:
            stack = Stack(redis_url=redis_url, engine="mock", env=ENV, restart=False, **options)
            return await stacks.enter_async_context(stack)

        yield do
