"""How many threads run the engine by default, in a container as well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripta_transcriber import cores
from scripta_transcriber.cores import cpu_quota, usable_cores

pytestmark = pytest.mark.unit


def version_2(folder: Path, text: str) -> Path:
    (folder / "cpu.max").write_text(text)
    return folder


def version_1(folder: Path, quota: str, period: str) -> Path:
    (folder / "cpu").mkdir()
    (folder / "cpu/cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu/cpu.cfs_period_us").write_text(period)
    return folder


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("150000 100000\n", 1.5),
        ("50000 100000\n", 0.5),
        ("max 100000\n", None),
        ("", None),
        ("many words here\n", None),
    ],
)
def test_quota_of_version_2(tmp_path: Path, text: str, quota: float | None) -> None:
    assert cpu_quota(version_2(tmp_path, text)) == quota


@pytest.mark.parametrize(
    ("quota", "period", "cores"), [("200000\n", "100000\n", 2.0), ("-1\n", "100000\n", None)]
)
def test_quota_of_version_1(tmp_path: Path, quota: str, period: str, cores: float | None) -> None:
    assert cpu_quota(version_1(tmp_path, quota, period)) == cores


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("bound", "text", "threads"),
    [
        (8, "150000 100000", 2),
        (8, "10000 100000", 1),
        (8, "max 100000", 8),
        (2, "400000 100000", 2),
        (128, "max 100000", 64),
    ],
)
def test_threads_are_the_smaller_of_quota_and_cores_and_at_least_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int, text: str, threads: int
) -> None:
    monkeypatch.setattr(cores, "_CGROUPS", version_2(tmp_path, text))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(bound)), raising=False)
    assert usable_cores() == threads
