"""Starts the live view if the libraries for it are there."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

from scripta_client.top.arguments import TopArguments
from scripta_client.top.errors import TopUnavailable

_NEEDED = ("httpx", "prometheus_client", "rich")


async def run_top(arguments: TopArguments, stop: asyncio.Event) -> bool:
    """Looks until ``stop`` is set, or once.

    Returns:
        Whether anything answered.

    Raises:
        TopUnavailable: If a library is missing.
        NoMetrics: If Prometheus can not be asked.
        InvalidUrl: If an address is none.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise TopUnavailable(missing)
    from scripta_client.top.command import run

    return await run(arguments, stop)
