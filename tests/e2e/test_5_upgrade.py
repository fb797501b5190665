"""A changed value is rolled out, and rolled back, under live sessions; nothing stays behind."""

from __future__ import annotations

import pytest

from .claims import Disturb, assert_resumed
from .release import BROKER, GATEWAY, TRANSCRIBER, Release
from .settings import E2ESettings

pytestmark = pytest.mark.e2e

ROLLOUT_SECONDS = 240.0
SLOTS = 20


def test_upgrade_and_rollback_change_and_restore_the_release(
    disturb: Disturb, release: Release, settings: E2ESettings
) -> None:
    """Both at once: what an upgrade makes must be gone when it is taken back."""
    revision = release.revision()
    objects = release.objects()
    levels = [release.setting(part, "LOG_LEVEL") for part in (GATEWAY, TRANSCRIBER)]
    (broker,) = release.pods(BROKER)
    password = release.broker_password()

    def upgrade() -> None:
        release.upgrade({"logs": {"level": "WARNING"}, "transcriber": {"slots": SLOTS}})
        release.wait_settled(seconds=ROLLOUT_SECONDS)

    assert_resumed(disturb(upgrade, kind="returning"), settings.sessions)
    assert release.setting(GATEWAY, "LOG_LEVEL") == "WARNING"
    assert release.setting(TRANSCRIBER, "LOG_LEVEL") == "WARNING"
    assert release.setting(TRANSCRIBER, "SLOTS") == str(SLOTS)

    def rollback() -> None:
        release.rollback(revision)
        release.wait_settled(seconds=ROLLOUT_SECONDS)

    assert_resumed(disturb(rollback, kind="returning"), settings.sessions)
    assert [release.setting(part, "LOG_LEVEL") for part in (GATEWAY, TRANSCRIBER)] == levels
    assert release.objects() == objects
    # What does not concern the broker leaves it alone, and its password above all.
    assert release.broker_password() == password
    assert [pod.uid for pod in release.pods(BROKER)] == [broker.uid]


def test_pool_that_is_added_and_rolled_back_leaves_nothing(
    release: Release, settings: E2ESettings
) -> None:
    revision = release.revision()
    objects = release.objects()
    pods = {pod.uid for part in (GATEWAY, TRANSCRIBER) for pod in release.pods(part)}
    release.upgrade({"pools": {"default": {}, "second": {"engine": settings.engine}}})
    release.wait_settled(f"{TRANSCRIBER}-second", GATEWAY, TRANSCRIBER)
    assert release.objects() > objects
    release.rollback(revision)
    release.wait_settled()
    assert release.objects() == objects
    assert {pod.uid for part in (GATEWAY, TRANSCRIBER) for pod in release.pods(part)} == pods
