"""``make run``: starts the whole system, shows that it works, and stays up until told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from scripta_client.errors import ScriptaError
from scripta_local.console import Console
from scripta_local.demo import play_mock, play_sample
from scripta_local.errors import LocalError, UnknownModel
from scripta_local.models import Serving, serving
from scripta_local.redis_check import check_redis
from scripta_local.settings import LocalSettings
from scripta_local.stack import Commands, Stack

FAILED = 1
MISUSED = 2


class Application:
    """One run: its stack, and the person who may stop it at any time."""

    def __init__(
        self,
        settings: LocalSettings,
        serving: Serving,
        console: Console,
        commands: Commands | None = None,
    ) -> None:
        self._settings = settings
        self._console = console
        self._stop = asyncio.Event()
        self._serving = serving
        self._stack = Stack(
            transcribers=settings.transcribers,
            engine=serving.engine,
            env=serving.env,
            host=settings.app_host,
            port=settings.app_port,
            redis_url=settings.redis_url,
            console=console,
            commands=commands,
        )

    async def run(self) -> int:
        """Runs until a signal comes or the start fails; returns the exit code."""
        self._listen_for_signals()
        serving = asyncio.create_task(self._serve(), name="serve")
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        code = 0
        try:
            if self._stop.is_set():
                self._console.note("Stopping; once more kills at once.")
                serving.cancel()
            await serving
        except asyncio.CancelledError:
            pass
        except LocalError as error:
            self._console.note(f"\nError: {error}")
            code = FAILED
        finally:
            stopped.cancel()
            await self._stack.stop()
        self._console.note("Everything is stopped.")
        return code

    def stop(self) -> None:
        """Asks for an orderly stop; asked once more, kills everything."""
        if self._stop.is_set():
            self._stack.kill()
        self._stop.set()

    async def _serve(self) -> None:
        await self._start()
        if self._settings.demo:
            await self._demonstrate()
        self._invite()
        await asyncio.Event().wait()

    async def _start(self) -> None:
        settings, stack = self._settings, self._stack
        if settings.redis_url is not None:
            await check_redis(settings.redis_url)
        await stack.start()
        broker = f"embedded Valkey on port {stack.broker.port}" if stack.broker else "REDIS_URL"
        count = settings.transcribers
        self._console.note(f"Broker: {broker}.")
        self._console.note(
            f"Waiting for the gateway on port {stack.port} and {count} "
            f"transcriber{'s' if count > 1 else ''} with {_engines(self._serving.engine)} …"
        )
        await stack.wait_ready()
        self._console.note("All are ready.\n")

    async def _demonstrate(self) -> None:
        """Shows the first words; a failure is told and changes nothing."""
        play = play_mock if self._serving.engine == "mock" else play_sample
        try:
            await play(self._stack.ws_url, self._console, self._ca_file)
        except TimeoutError:
            self._console.note("The demo failed: the last words did not come. See the log above.")
        except (ScriptaError, LocalError) as error:
            self._console.note(f"The demo failed: {error}")

    def _invite(self) -> None:
        stack = self._stack
        default = stack.port == 8000 and not stack.certificate
        trust = f" --ca {self._ca_file}" if self._ca_file else ""
        url = "" if default else f" --url {stack.ws_url}{trust}"
        command = _shown(Path(sys.executable).with_name("scripta"))
        exporting = " ".join(
            [stack.url, *(f"127.0.0.1:{port}" for port in stack.transcriber_ports)]
        )
        self._console.note(
            f"\nScripta is up. Ctrl-C stops it.\n"
            f"  browser    {stack.url}/\n"
            f"  WebSocket  {stack.ws_url}\n"
            f"  a file     {command} transcribe FILE{url}\n"
            f"{self._language_hint(command, url)}"
            f"  live view  {command} top {exporting}{trust}\n"
        )

    @property
    def _ca_file(self) -> str | None:
        """What has to be trusted: a certificate of one's own is its own authority."""
        return os.environ.get("SCRIPTA_CA_FILE") or self._stack.certificate or None

    def _language_hint(self, command: Path, url: str) -> str:
        """Returns the line that shows how to ask for another language, if there is one."""
        if not self._serving.languages:
            return ""
        return (
            f"  a language {command} transcribe --language ru FILE{url}"
            f"   ({self._serving.languages})\n"
        )

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup the end of the terminal is not a wish to stop.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self.stop)


def main() -> None:
    """Runs the local stack; exits with 0 when it was asked to stop."""
    console = Console.of_process()
    try:
        settings = LocalSettings()
    except ValidationError as error:
        for wrong in error.errors():
            name = str(wrong["loc"][0]).upper()
            console.note(f"{name}={wrong['input']!r} is not valid: {wrong['msg']}.")
        sys.exit(MISUSED)
    try:
        served = serving(settings.engine, settings.model)
    except LocalError as error:
        console.note(f"Error: {error}")
        sys.exit(MISUSED if isinstance(error, UnknownModel) else FAILED)
    sys.exit(asyncio.run(_run(settings, served, console)))


async def _run(settings: LocalSettings, served: Serving, console: Console) -> int:
    return await Application(settings, served, console).run()


def _engines(engine: str) -> str:
    """Returns the engines in words."""
    names = engine.split(",")
    return f"the engine{'s' if len(names) > 1 else ''} {' and '.join(names)}"


def _shown(path: Path) -> Path:
    """Returns the path as short as it can be typed from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    main()
