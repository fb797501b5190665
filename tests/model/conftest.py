"""How long the model is run: ``HYPOTHESIS_PROFILE=long`` for a thorough search."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

_COMMON = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile("short", _COMMON, max_examples=60, stateful_step_count=40)
settings.register_profile("long", _COMMON, max_examples=2000, stateful_step_count=60)


@pytest.fixture
def search() -> settings:
    """Settings of this run's profile; other tests keep theirs."""
    name = "long" if os.environ.get("HYPOTHESIS_PROFILE") == "long" else "short"
    return settings.get_profile(name)
