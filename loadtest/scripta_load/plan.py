"""What every session of a test says and whom to, and the first pass that tells what it hears."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from scripta_load.audio import Speech, read_speech
from scripta_load.connection import ConnectFailed, Connection, Refused
from scripta_load.errors import ReferenceFailed
from scripta_load.hearing import Measurement
from scripta_load.options import Options
from scripta_load.reference import Reference
from scripta_load.session import Report, Session
from scripta_load.target import check_target
from scripta_load.words import Count

CONNECT_SECONDS = 10.0
PASS_CHUNK_SECONDS = 1.0
PASS_PATIENCE_SECONDS = 60.0
"""How long the first pass waits for a gateway with room, and at its end for the last words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A test that is ready to run.

    Attributes:
        options: What was asked for.
        speech: The audio of a session.
        chunks: The same as messages.
    """

    options: Options
    speech: Speech
    chunks: tuple[memoryview, ...]

    @classmethod
    def of(cls, options: Options) -> Self:
        """Returns the plan; raises ``BadOption`` if it can not or must not be run."""
        check_target(options.url, allow_remote=options.allow_remote)
        speech = read_speech(options.recording, options.sample_rate)
        speech = speech.lasting(options.session_seconds)
        return cls(options, speech, tuple(speech.chunks(options.chunk_ms / 1000)))

    def connect(self) -> Connection:
        """Opens a session's connection; raises ``Refused`` or ``ConnectFailed``."""
        return Connection.open(self.options.session_url(), CONNECT_SECONDS)

    def speak(
        self,
        connection: Connection,
        leaving: Callable[[], bool],
        measured: Callable[[Measurement], None],
    ) -> Report:
        """Runs a session at the pace of speech; returns how it went."""
        return Session(
            connection,
            self.chunks,
            chunk_seconds=self.options.chunk_ms / 1000,
            pace=self.options.pace,
            close_timeout=self.options.close_timeout,
            leaving=leaving,
            measured=measured,
        ).run()

    def reference(self, sleep: Callable[[float], None]) -> Reference:
        """Returns what sessions are expected to hear: a text, or what a first pass has heard.

        Raises:
            BadOption: The text can not be read.
            ReferenceFailed: The pass did not come to its end.
        """
        if self.options.reference:
            return Reference.read(self.options.reference)
        try:
            with self._connect_with_patience(sleep) as connection:
                report = Session(
                    connection,
                    self.speech.chunks(PASS_CHUNK_SECONDS),
                    chunk_seconds=PASS_CHUNK_SECONDS,
                    pace=None,
                    close_timeout=PASS_PATIENCE_SECONDS,
                ).run()
        except ConnectFailed as error:
            raise ReferenceFailed(f"The first pass failed at {self.options.url}: {error}") from None
        if not report.whole or report.refused:
            raise ReferenceFailed(
                f"The first pass failed at {self.options.url}: "
                f"{report.reason or 'a message was refused'}"
            )
        return Reference.heard(report.finals)

    def _connect_with_patience(self, sleep: Callable[[float], None]) -> Connection:
        deadline = time.monotonic() + PASS_PATIENCE_SECONDS
        while True:
            try:
                return self.connect()
            except Refused as refusal:
                if time.monotonic() + refusal.retry_after > deadline:
                    raise
                sleep(refusal.retry_after)


def count(reference: Reference, report: Report) -> Count | None:
    """Returns what became of a session's words; ``None`` if there is nothing to count by."""
    if not reference.finals and not report.whole:
        return None
    return reference.count(
        report.finals, whole=report.whole, seconds=report.seconds, messages=report.accepted
    )
