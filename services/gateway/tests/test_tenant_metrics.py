"""Metrics by tenant: none unless they are asked for, and never more labels than that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from scripta_gateway.telemetry.tenant_metrics import TENANTS, TenantCounts


@pytest.fixture(autouse=True)
def off_again() -> Iterator[None]:
    yield
    TENANTS.limit(0)


def samples(counts: TenantCounts, held: list[str]) -> dict[tuple[str, str], float]:
    return {
        (sample.name.removeprefix("scripta_gateway_tenant_"), sample.labels["tenant"]): sample.value
        for family in counts.families(held)
        for sample in family.samples
    }


@pytest.mark.unit
def test_nothing_is_counted_unless_it_is_asked_for() -> None:
    """Guards an installation with thousands of tenants: labels are for ever."""
    counts = TenantCounts()
    counts.opened("acme")
    counts.accepted("acme", 1.0)
    assert samples(counts, ["acme"]) == {}


@pytest.mark.unit
def test_tenants_beyond_the_bound_share_a_label() -> None:
    counts = TenantCounts(2)
    for tenant in ("acme", "", "beta", "gamma", "acme"):
        counts.opened(tenant)
        counts.accepted(tenant, 0.5)
    assert samples(counts, ["gamma", "delta", ""]) == {
        ("sessions", "acme"): 0,
        ("sessions", "anonymous"): 1,
        ("sessions", "other"): 2,
        ("sessions_opened_total", "acme"): 2,
        ("sessions_opened_total", "anonymous"): 1,
        ("sessions_opened_total", "other"): 2,
        ("audio_seconds_total", "acme"): 1.0,
        ("audio_seconds_total", "anonymous"): 0.5,
        ("audio_seconds_total", "other"): 1.0,
    }


@pytest.mark.asgi
async def test_gateway_exports_them_if_it_is_set(redis: Any, start_server: Any) -> None:
    server = await start_server(tenant_metrics=5)
    async with (
        httpx.AsyncClient(trust_env=False) as client,
        connect(f"ws://{server.address}/ws", proxy=None) as socket,
    ):
        await socket.send(bytes(32_000))
        await socket.recv()
        text = (await client.get(f"http://{server.address}/metrics")).text
    assert 'scripta_gateway_tenant_sessions{tenant="anonymous"} 1.0' in text
    assert 'scripta_gateway_tenant_audio_seconds_total{tenant="anonymous"} 1.0' in text
