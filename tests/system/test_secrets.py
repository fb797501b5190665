"""A token is told to its client and nobody else, whatever goes wrong and however much is logged."""

from __future__ import annotations

import hashlib
import signal
from contextlib import suppress
from io import StringIO

import httpx
import pytest
from collector import collector
from native import talk
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from scripta_common import keys
from scripta_local.console import Console
from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECRET = "S3cret" * 7 + "x"


async def answer_to(url: str, query: str) -> str:
    """Returns the head and the body of a handshake's answer."""
    try:
        async with connect(f"{url}?events=true&{query}", proxy=None) as socket:
            assert socket.response is not None
            return str(socket.response.headers)
    except InvalidStatus as refused:
        response = refused.response
        return f"{response.status_code} {response.headers} {response.body.decode()}"


async def test_neither_a_token_nor_its_hash_is_logged_traced_counted_or_answered() -> None:
    """Whoever reads the logs, the spans or the metrics could take sessions over."""
    said: list[str] = []
    logs = StringIO()
    with collector() as seen:
        env = {
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": seen.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        async with Stack(engine="mock", env=env, console=Console(logs)) as stack:
            await stack.add_gateway()
            urls = [f"ws://127.0.0.1:{port}/ws" for port in stack.gateway_ports]
            redis = Redis.from_url(stack.redis_url, protocol=3)
            async with talk(urls[0], events="true") as first:
                await first.send(bytes(3200))
                await first.until(lambda: first.finals)
                token = first.token
                assert first.socket.response is not None
                said.append(str(first.socket.response.headers))
                query = {"events": "true", "resume": token, "from": 1}
                async with talk(urls[1], **query) as again:
                    await again.until(lambda: again.of("session"))
                    said += [str(frame) for _, frame in again.frames]
                    await first.until_closed()
                    await redis.flushall()  # the session is written anew
                    await again.send(bytes(3200))
                    await again.until(lambda: len(again.finals) == 1)
                    assert await redis.hget(keys.state(first.sid), "token")
                    for wrong in (
                        f"resume={first.sid}.{SECRET}",
                        f"resume={token}x",
                        f"resume={token}&from=9",
                        f"resume={token}&from=-1",
                        f"resume={token}&resume={token}",
                        f"resume={token}&sample_rate={token}",
                        f"session={token}",
                    ):
                        said += [await answer_to(url, wrong) for url in urls]
                    await redis.config_set("maxmemory", "1")
                    said.append(await answer_to(urls[0], f"resume={token}&from=2"))
                    await redis.config_set("maxmemory", "0")
            async with httpx.AsyncClient(trust_env=False) as client:
                for port in (*stack.gateway_ports, *stack.transcriber_ports):
                    for path in ("/metrics", f"/?resume={token}", f"/{token}", f"/page/{token}"):
                        with suppress(httpx.HTTPError):
                            page = await client.get(f"http://127.0.0.1:{port}{path}")
                            said.append(f"{page.headers} {page.text}")
            await redis.aclose()
            await stack.kill_gateway(signal.SIGTERM)
            await seen.until(lambda: len(seen.of("session")) > 10)
    said += [span.all_text for span in seen.spans]
    lines = logs.getvalue().splitlines()
    for name in ("gateway", "gateway-2", "transcriber-1"):
        assert [line for line in lines if name in line and first.sid in line]
    assert [line for line in lines if '"level": "debug"' in line]
    assert [line for line in lines if "session restored" in line]
    secrets = (token.partition(".")[2], hashlib.sha256(token.encode()).hexdigest(), SECRET)
    for text in [*lines, *said]:
        assert not [secret for secret in secrets if secret in text], text
