"""The broker as tests use it: it comes, goes, dies, freezes and comes back."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from scripta_local.broker import Broker
from scripta_local.errors import BrokerError

pytestmark = pytest.mark.store


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as started:
        yield started


@pytest.fixture
def durable() -> Iterator[Broker]:
    with Broker(appendonly=True) as started:
        yield started


def connect(broker: Broker) -> redis.Redis:
    return redis.Redis.from_url(
        broker.url, socket_timeout=0.5, retry=None, protocol=3, legacy_responses=False
    )


def test_started_broker_answers_and_speaks_streams(broker: Broker) -> None:
    with connect(broker) as client:
        client.xadd("stream", {"field": b"value"})
        assert client.xlen("stream") == 1


def test_stop_ends_the_process_and_close_deletes_its_folder() -> None:
    broker = Broker(appendonly=True)
    broker.start()
    pid, folder = broker.pid, broker._folder
    assert pid is not None
    assert folder is not None
    broker.close()
    assert not Path(f"/proc/{pid}").exists()
    assert not folder.exists()
    assert broker.pid is None


def test_two_brokers_do_not_meet() -> None:
    with Broker() as one, Broker() as two:
        assert one.port != two.port
        with connect(one) as a, connect(two) as b:
            a.set("key", 1)
            assert b.get("key") is None


def test_restart_keeps_the_port_and_forgets_the_data(broker: Broker) -> None:
    with connect(broker) as client:
        client.set("key", "value")
    url = broker.url
    broker.restart()
    assert broker.url == url
    with connect(broker) as client:
        assert client.get("key") is None


def test_appendonly_broker_keeps_what_it_answered_through_a_kill(durable: Broker) -> None:
    with connect(durable) as client:
        client.set("key", "value")
    durable.kill()
    assert not durable.alive
    assert durable.exit_code == -9
    durable.start()
    with connect(durable) as client:
        assert client.get("key") == b"value"


def test_restart_empty_forgets_the_data_of_an_appendonly_broker(durable: Broker) -> None:
    with connect(durable) as client:
        client.set("key", "value")
    durable.restart(empty=True)
    with connect(durable) as client:
        assert client.get("key") is None


def test_paused_broker_answers_nothing_until_it_is_resumed(broker: Broker) -> None:
    with connect(broker) as client:
        client.ping()
        broker.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        broker.resume()
        assert client.ping()


def test_paused_broker_can_be_stopped(broker: Broker) -> None:
    broker.pause()
    broker.stop()
    assert not broker.alive


def test_program_that_ends_at_once_is_reported_with_its_last_lines_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho 'this disk is full'\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(BrokerError, match="this disk is full"):
        Broker(program=program).start()
    assert not list(folder.iterdir())


def test_missing_program_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="can not be run"):
        Broker(program=tmp_path / "nothing").start()


def test_restart_on_a_port_that_another_took_is_an_error_and_not_another_port() -> None:
    with Broker() as broker:
        broker.stop()
        taken = socket.create_server(("127.0.0.1", broker.port))
        with taken, pytest.raises(BrokerError, match="Address already in use"):
            broker.start()


def test_broker_starts_under_a_locale_that_does_not_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.nothing")
    with Broker() as broker:
        assert broker.alive
        assert os.environ["LC_ALL"] == "xx_XX.nothing"
