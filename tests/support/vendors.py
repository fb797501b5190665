"""The vendors' own packages as clients of a gateway: ``run("deepgram-7", "live", url, wav)``.

Each client is a program of ``tests/clients/programs`` in an environment of its own
(``requirements/clients``). It runs as a process, is given the gateway's address and nothing else
that is ours, and prints what the vendor's package gave it. A client that can not be installed
skips the test.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "clients" / "programs"
GRACE = 15.0
"""Seconds that a process may take beyond its own limit: to start, and to import its packages."""

LINE_BYTES = 64 << 20
"""A message of a vendor's model that is one line: the answer for an hour of speech fits."""


@dataclass(frozen=True, slots=True)
class Client:
    """A program, and the environment that it runs in."""

    environment: str
    program: str


CLIENTS = {
    "deepgram-3": Client("deepgram-3", "deepgram_3.py"),
    "deepgram-5": Client("deepgram-5", "deepgram_python.py"),
    "deepgram-7": Client("deepgram-7", "deepgram_python.py"),
    "deepgram-js": Client("deepgram-js", "deepgram_node.cjs"),
    "openai": Client("openai", "openai_python.py"),
    "openai-js": Client("openai-js", "openai_node.cjs"),
    "livekit-deepgram": Client("livekit", "livekit_deepgram.py"),
    "livekit-openai": Client("livekit", "livekit_openai.py"),
    "pipecat-deepgram": Client("pipecat", "pipecat_deepgram.py"),
    "pipecat-openai": Client("pipecat", "pipecat_openai.py"),
    "vosk": Client("vosk", "vosk_lockstep.py"),
    "wyoming": Client("wyoming", "wyoming_client.py"),
}

Event = dict[str, Any]


@dataclass(slots=True)
class Heard:
    """All that a client has told so far."""

    events: list[Event] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Event]:
        """Returns the events of some kinds: open, message, final, error, closed …"""
        return [event for event in self.events if event["event"] in kinds]

    def messages(self, kind: str | None = None) -> list[Any]:
        """Returns the data of the vendor's messages, all or those of one type."""
        wanted = self.of("message")
        return [each["data"] for each in wanted if kind is None or each["type"] == kind]

    def words(self, channel: int = 0) -> str:
        """Returns the final text of a channel, as users of this client put it together.

        Turns that the client numbers may be completed in another order.
        """
        finals = [each for each in self.of("final") if each.get("channel", 0) == channel]
        finals.sort(key=lambda each: each.get("order", 0))
        return " ".join(each["text"] for each in finals if each["text"])

    def interims(self) -> list[str]:
        return [each["text"] for each in self.of("interim")]

    def problems(self) -> list[str]:
        """Returns what the vendor's models had to say against our messages (``strict=True``)."""
        return _each_once(self.of("message"), "problems")

    def unknown(self) -> list[str]:
        """Returns the keys of our messages that the vendor's models do not know."""
        return _each_once(self.of("message"), "unknown")

    def errors(self) -> list[Event]:
        return self.of("error", "limit")

    def closed(self) -> tuple[int | None, str | None]:
        """Returns code and reason of the last close that the client has seen."""
        last = self.of("closed")[-1]
        return last["code"], last["reason"]

    def after_speech(self) -> float:
        """Returns the seconds between the last audio sent and the last final."""
        return float(self.of("final")[-1]["at"] - self.of("spoken")[-1]["at"])


class Running:
    """A client at work."""

    def __init__(self, process: asyncio.subprocess.Process, errors: Any) -> None:
        self.heard = Heard()
        self.process = process
        self._errors = errors
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read(), name="vendor's client")

    async def until(self, condition: Callable[[Heard], object], seconds: float = 30.0) -> None:
        """Waits until what was heard meets a condition; fails if the client ends before."""

        def met() -> bool:
            return bool(condition(self.heard)) or self._reader.done()

        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(met)
        assert condition(self.heard), f"it ended before: {self._told()}"

    async def sent(self, seconds: float) -> None:
        """Waits until so many seconds of audio are on their way."""

        def enough(heard: Heard) -> bool:
            sent = heard.of("sent", "spoken")
            return bool(sent) and sent[-1]["seconds"] >= seconds

        await self.until(enough, seconds=GRACE + 4 * seconds)

    async def ready(self) -> None:
        """Waits until a client that was started with ``hold=True`` could begin."""
        await self.until(lambda heard: heard.of("ready"))

    def begin(self) -> None:
        """Lets such a client begin."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def done(self) -> Heard:
        """Waits until the client has ended by itself; fails if it crashed."""
        await self._reader
        code = await self.process.wait()
        assert code in (0, 3), self._told()
        return self.heard

    async def kill(self) -> None:
        """Ends the client as a crash would."""
        if self.process.returncode is None:
            self.process.kill()
        await self._reader
        await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"{"):
                self.heard.events.append(json.loads(line))
                async with self._news:
                    self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    def _told(self) -> str:
        self._errors.seek(0)
        return f"{self.heard.events[-5:]}\n{self._errors.read().decode()[-3000:]}"


@asynccontextmanager
async def started(
    name: str, mode: str, url: str, wav: Path | str, **options: Any
) -> AsyncIterator[Running]:
    """Starts a client; options are those of ``programs/options.py``, with underscores.

    A list gives an option several times, and ``query`` takes a dictionary.
    """
    client = CLIENTS[name]
    home = await environment(client.environment)
    limit = float(options.setdefault("limit", 60.0))
    command = [*_interpreter(client, home), str(PROGRAMS / client.program), mode, url, str(wav)]
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            *_flags(options),
            env=_variables(home, options.get("ca")),
            stdin=asyncio.subprocess.PIPE if options.get("hold") else None,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=LINE_BYTES,
        )
        running = Running(process, errors)
        try:
            async with asyncio.timeout(limit + GRACE):
                yield running
        finally:
            await running.kill()


async def run(name: str, mode: str, url: str, wav: Path | str, **options: Any) -> Heard:
    """Runs a client to its end and returns what it heard."""
    async with started(name, mode, url, wav, **options) as running:
        return await running.done()


Found = dict[str, Heard | str]
"""What each of several clients has heard, or why it can not be installed."""


async def attempt(heard: Awaitable[Heard]) -> Heard | str:
    """Returns what a client hears, or why it can not be installed."""
    try:
        return await heard
    except pytest.skip.Exception as why:
        return str(why)


def of(found: Found, name: str) -> Heard:
    """Returns what a client has heard; skips the test if it could not be installed."""
    heard = found[name]
    if isinstance(heard, str):
        pytest.skip(heard)
    return heard


async def environment(name: str) -> Path:
    """Returns the folder of an environment; skips the test where there can be none."""
    made = await asyncio.to_thread(_made, name)
    if isinstance(made, str):
        pytest.skip(f"{name} can not be installed here: {made} (make clients ARGS={name})")
    return made


@cache
def installer() -> ModuleType:
    """Returns the module that makes environments, which is a script without a package."""
    spec = importlib.util.spec_from_file_location(
        "install_clients", ROOT / "requirements" / "clients" / "install.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _made(name: str) -> Path | str:
    """Installs once for each process; returns the reason if that fails."""
    try:
        return Path(installer().install(name))
    except installer().NotInstalled as error:
        return str(error)


def _interpreter(client: Client, home: Path) -> list[str]:
    if client.program.endswith(".cjs"):
        return ["node"]
    return [str(home / "bin" / "python")]


def _variables(home: Path, authority: Path | str | None) -> dict[str, str]:
    """Returns an environment in which nothing but the address leads anywhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy")
        and not name.startswith(("PYTHON", "DEEPGRAM", "OPENAI"))
    }
    kept |= {"NODE_PATH": str(home / "node_modules"), "VIRTUAL_ENV": str(home)}
    return kept | ({"NODE_EXTRA_CA_CERTS": str(authority)} if authority else {})


def _flags(options: dict[str, Any]) -> list[str]:
    """Returns options as a command line has them."""
    flags: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if name == "query":
            flags += [
                f"--query={key}={each}" for key, some in value.items() for each in _list(some)
            ]
        elif value is True:
            flags.append(flag)
        elif value is False:
            flags += [f"--no-{name}"] if name == "interim" else []
        else:
            flags += [f"{flag}={each}" for each in _list(value)]
    return flags


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _each_once(events: list[Event], key: str) -> list[str]:
    found = {f"{event['type']}: {each}" for event in events for each in event.get(key, ())}
    return sorted(found)
