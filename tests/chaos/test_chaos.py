"""The chaos suite in short: four faults under live speech, and random schedules of many.

``make chaos`` runs all of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
import pytest_asyncio

from .cases import CASES
from .compare import Expected
from .recordings import recordings
from .rounds import disturbed, make_plans, undisturbed
from .schedules import run_schedule, schedule_system
from .sessions import Plan
from .system import System

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SESSIONS = 4
SECONDS = 6.0
SHORT = ("worker-kill", "worker-term", "broker-reset", "broker-empty")
SCHEDULES = range(2)


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    """One half speaks in small messages, the other in those of recorders."""
    material = recordings(SESSIONS, SECONDS)
    half = SESSIONS // 2
    return [*make_plans(material)[:half], *make_plans(material, in_blobs=True)[half:]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system() -> AsyncIterator[System]:
    async with System(engine="moonshine", transcribers=2) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def expected(system: System, plans: Sequence[Plan]) -> dict[str, Expected]:
    return await undisturbed(system, plans)


@pytest.mark.parametrize("key", SHORT)
async def test_fault_under_live_speech_loses_doubles_and_closes_nothing(
    key: str, system: System, plans: Sequence[Plan], expected: Mapping[str, Expected]
) -> None:
    case = next(case for case in CASES if case.key == key)
    outcome = await disturbed(system, case, plans, expected, seed=SHORT.index(key))
    differences = [d for verdict in outcome.verdicts for d in verdict.differences]
    assert not differences, outcome.what
    assert outcome.closed == 0, outcome.what


async def test_random_schedules_of_faults_lose_and_double_nothing() -> None:
    async with schedule_system() as system:
        for seed in SCHEDULES:
            assert not await run_schedule(system, seed), f"--schedules 1 --seed {seed}"
        assert not await system.lasting_keys()
