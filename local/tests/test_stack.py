"""The stack with stand-ins for the services: order, readiness, restarts, what remains."""

from __future__ import annotations

import asyncio
import io
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis

from scripta_local.console import Console
from scripta_local.errors import NotReady, PortInUse
from scripta_local.readiness import probe
from scripta_local.stack import Commands, Stack

pytestmark = pytest.mark.store

Until = Callable[..., Awaitable[None]]
Gone = Callable[[int], bool]


async def test_stack_is_ready_inside_its_block_and_gone_after_it(
    standins: Commands, gone: Gone
) -> None:
    stream = io.StringIO()
    async with Stack(transcribers=2, commands=standins, console=Console(stream)) as stack:
        assert (await probe("127.0.0.1", stack.port)).ready
        assert stack.url == f"http://127.0.0.1:{stack.port}"
        assert stack.ws_url == f"ws://127.0.0.1:{stack.port}/ws"
        assert stack.broker is not None
        pids = [stack.gateway, *stack.transcribers, stack.broker.pid]
        assert len({pid for pid in pids if pid}) == 4
    assert all(gone(pid) for pid in pids if pid)
    lines = stream.getvalue().splitlines()
    assert "gateway       | gateway listens, log format human" in lines
    drained = [line.split()[0] for line in lines if line.endswith("drains")]
    assert drained[0] == "gateway"
    assert sorted(drained[1:]) == ["transcriber-1", "transcriber-2"]


async def test_extra_environment_reaches_the_services(standins: Commands) -> None:
    async with Stack(commands=standins, env={"LOG_FORMAT": "json"}) as stack:
        assert stack.log_of("gateway") == ("gateway listens, log format json",)


async def test_broker_of_the_caller_is_used_and_left_alone(standins: Commands) -> None:
    async with Stack(transcribers=0, commands=standins) as other:
        async with Stack(commands=standins, redis_url=other.redis_url) as stack:
            assert stack.broker is None
            assert stack.redis_url == other.redis_url
        with redis.Redis.from_url(other.redis_url, protocol=3, legacy_responses=False) as client:
            assert client.ping()


async def test_killed_transcriber_comes_back(standins: Commands, until: Until) -> None:
    async with Stack(commands=standins) as stack:
        [before] = stack.transcribers
        await stack.kill_transcriber(0)
        await until(lambda: stack.transcribers[0] not in (None, before))
        await stack.wait_ready()


async def test_killed_broker_comes_back_on_its_port(standins: Commands, until: Until) -> None:
    stream = io.StringIO()
    async with Stack(commands=standins, console=Console(stream)) as stack:
        assert stack.broker is not None
        url = stack.broker.url
        stack.broker.kill()
        await until(lambda: stack.broker is not None and stack.broker.alive)
        assert stack.broker.url == url
    assert "broker was killed by SIGKILL; starting it again in 0.5 s." in stream.getvalue()


async def test_without_restart_a_killed_transcriber_stays_dead_and_another_can_be_added(
    standins: Commands,
) -> None:
    async with Stack(commands=standins, restart=False) as stack:
        await stack.kill_transcriber(0)
        assert await stack.add_transcriber() == 1
        assert stack.transcribers[0] is None
        assert stack.transcribers[1] is not None
        await stack.kill_transcriber(1, signal.SIGTERM)
        await asyncio.wait_for(stack.transcriber_gone(1), 10)
        with pytest.raises(NotReady, match="transcriber-1 was killed by SIGKILL"):
            await stack.wait_ready()


async def test_added_gateway_has_a_port_of_its_own_and_is_killed_and_stopped_like_the_first(
    standins: Commands, gone: Gone, until: Until
) -> None:
    async with Stack(transcribers=0, commands=standins) as stack:
        first = stack.gateway
        assert await stack.add_gateway() == 1
        assert stack.gateway_ports[0] == stack.port
        assert all([(await probe("127.0.0.1", port)).ready for port in stack.gateway_ports])
        assert stack.log_of("gateway-2") == ("gateway listens, log format human",)
        await stack.kill_gateway(place=1)
        assert not (await probe("127.0.0.1", stack.gateway_ports[1])).ready
        await until(lambda: len(stack.log_of("gateway-2")) == 2)
        assert stack.gateway == first
    assert first is not None
    assert gone(first)
    assert not (await probe("127.0.0.1", stack.gateway_ports[1])).ready


async def test_service_that_dies_at_its_start_is_named_with_its_last_words(
    standins: Commands,
) -> None:
    with pytest.raises(NotReady) as caught:
        async with Stack(transcribers=0, commands=standins, env={"STANDIN": "dies"}):
            pass
    assert caught.value.problem.startswith("gateway exited with code 1 before it was ready")
    assert caught.value.detail == ("there is no model",)
    assert caught.value.fix


async def test_service_that_never_gets_ready_is_named_with_its_reason(standins: Commands) -> None:
    with pytest.raises(NotReady) as caught:
        async with Stack(
            transcribers=0, commands=standins, env={"STANDIN": "never-ready"}, ready_seconds=1.5
        ):
            pass
    assert "gateway is not ready after 1.5 s" in caught.value.problem
    assert "/readyz answers 503 waiting for the moon" in caught.value.problem


async def test_failed_start_leaves_nothing(standins: Commands, gone: Gone) -> None:
    stack = Stack(commands=standins, env={"STANDIN": "never-ready"}, ready_seconds=0.5)
    await stack.start()
    assert stack.broker is not None
    pids = [stack.gateway, *stack.transcribers, stack.broker.pid]
    with pytest.raises(NotReady):
        await stack.wait_ready()
    await stack.stop()
    assert all(gone(pid) for pid in pids if pid)


async def test_taken_port_is_refused_before_anything_is_started(standins: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stack = Stack(commands=standins, port=server.getsockname()[1])
        with pytest.raises(PortInUse):
            await stack.start()
        assert stack.broker is not None
        assert not stack.broker.alive
        await stack.stop()


async def test_kill_ends_a_stop_that_waits_for_stubborn_services(
    standins: Commands, gone: Gone, until: Until
) -> None:
    stack = Stack(commands=standins, env={"STANDIN": "stubborn"})
    await stack.start()
    await stack.wait_ready()
    pids = [stack.gateway, *stack.transcribers]
    stopping = asyncio.create_task(stack.stop())
    while not stopping.done():
        stack.kill()
        await asyncio.sleep(0.05)
    await stopping
    assert all(gone(pid) for pid in pids if pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties children only on Linux")
async def test_kill_of_the_supervisor_leaves_no_process(gone: Gone, until: Until) -> None:
    supervisor = """
import asyncio, sys
from scripta_local.stack import Commands, Stack
async def main():
    command = (sys.executable, sys.argv[1])
    async with Stack(commands=Commands(command, command), transcribers=2) as stack:
        print(stack.gateway, *stack.transcribers, stack.broker.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    standin = str(Path(__file__).with_name("standin.py"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", supervisor, standin, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    pids = [int(pid) for pid in (await process.stdout.readline()).split()]
    assert len(pids) == 4
    assert not any(gone(pid) for pid in pids)
    process.kill()
    await process.wait()
    await until(lambda: all(gone(pid) for pid in pids))
