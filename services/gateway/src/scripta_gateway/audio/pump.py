"""A thread that decodes one compressed stream, as the event loop sees it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import Empty
from typing import Final as Constant

from av.error import FFmpegError

from scripta_gateway.audio.errors import AudioError
from scripta_gateway.audio.inlet import Aborted, Inlet, Report, Request, Signal
from scripta_gateway.audio.limits import DecoderLimits, StreamBudget

logger = logging.getLogger(__name__)

Pump = Callable[[Inlet], None]
"""Decodes from an inlet into its sink until the inlet ends; runs on the thread."""

THREAD_PREFIX: Constant = "audio-"
_JOIN_SECONDS: Constant = 5.0


class PumpThread:
    """Runs a pump on a daemon thread of its own; holds one stream of the budget meanwhile."""

    def __init__(self, pump: Pump, name: str, limits: DecoderLimits, budget: StreamBudget) -> None:
        self._inlet = Inlet(name, limits, budget)
        self._pump = pump
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(
            target=self._run, name=f"{THREAD_PREFIX}{name}", daemon=True
        )
        budget.open_stream()
        try:
            self._thread.start()
        except RuntimeError as error:
            budget.close_stream()
            raise AudioError("this server can not open another compressed stream") from error

    async def send(self, command: bytes | Signal) -> Report:
        """Sends a command and waits for its answer; a thread that is over answers at once.

        A caller that is cancelled leaves the thread working; ``abort`` stops it.
        """
        loop = asyncio.get_running_loop()
        request = Request(command, loop, loop.create_future())
        with self._lock:
            if self._over:
                return Report(b"", ended=True)
            self._inlet.requests.put(request)
        return await request.answer

    def abort(self) -> None:
        """Tells the thread to end at its next packet, whatever it does now."""
        self._inlet.aborted = True

    async def stop(self) -> None:
        """Ends the thread and waits until it is gone."""
        self.abort()
        await self.send(Signal.ABORT)
        # It has given its last answer; what is left of it takes microseconds.
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        report = self._outcome()
        self._inlet.budget.close_stream()
        with self._lock:
            self._over = True
        self._inlet.answer(report)
        while True:
            try:
                self._inlet.requests.get_nowait().reply(Report(b"", ended=True))
            except Empty:
                return

    def _outcome(self) -> Report:
        """Runs the pump to its end and says how that went."""
        inlet = self._inlet
        error: AudioError | None = None
        try:
            self._pump(inlet)
            inlet.sink.flush()
            if not inlet.sink.frames:
                raise AudioError(f"the {inlet.name} data holds no audio")  # noqa: TRY301
        except Aborted:
            return Report(b"", ended=True)
        except AudioError as problem:
            error = problem
        except (FFmpegError, ValueError) as problem:
            logger.debug("undecodable audio", extra={"kind": inlet.name, "reason": str(problem)})
            error = AudioError(f"the {inlet.name} data is damaged or incomplete")
        except Exception:
            logger.exception("audio decoder failed", extra={"kind": inlet.name})
            error = AudioError(f"the {inlet.name} data could not be read")
        return Report(inlet.sink.take(), ended=True, error=error)
