"""The running system for tests of the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from recordings import SHARED, WHY_NOT_SHARED

from scripta_local.stack import Stack


@pytest.fixture(scope="session", autouse=True)
def slots_of_a_quiet_machine() -> Iterator[None]:
    """Gives transcribers a number of slots, which they would measure: tests share the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLOTS", "24")
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncIterator[Stack]:
    """Broker, gateway and a transcriber with the real engine, for one module's tests.

    They run in the module's loop, which reads the services' logs. A message may be larger than
    by default, so that every recording fits into one.
    """
    async with Stack(env={"MAX_AUDIO_SIZE": "4194304"}) as stack:
        yield stack


@pytest.fixture
def development_set() -> None:
    """Skips a test that needs the development recordings where there are none."""
    if not (SHARED / "manifest.jsonl").is_file():
        pytest.skip(WHY_NOT_SHARED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the figures that tests have recorded."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(str(value))
