"""`make audit`: what it says of the locks, with a database of vulnerabilities on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from json_server import serve_json

from scripta_local.ports import free_port

ROOT = Path(__file__).parents[1]
PYTHON = Path(sys.prefix, "audit/bin/python")
HASH = "--hash=sha256:" + "0" * 64
FAULT = {
    "id": "PYSEC-2020-1",
    "aliases": ["CVE-2020-1"],
    "affected": [
        {
            "package": {"name": "numpy", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
        }
    ],
}

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(
        not PYTHON.with_name("pip-audit").exists(),
        reason="pip-audit is not installed (make test does it)",
    ),
]

Database = Callable[[Mapping[str, Any]], str]


@pytest.fixture
def database() -> Iterator[Database]:
    """Starts a database that answers about each package what it is given, else with an error."""
    with ExitStack() as stack:

        def start(answers: Mapping[str, Any]) -> str:
            server = serve_json(lambda _, query: answers.get(query["package"]["name"]), error=503)
            return f"{stack.enter_context(server)}/query"

        yield start


@pytest.fixture
def locks(tmp_path: Path) -> list[str]:
    """Two locks, of which one package is in both."""
    (tmp_path / "one.txt").write_text(f"attrs==26.1.0 {HASH}\nnumpy==2.0.0 {HASH}\n")
    (tmp_path / "two.txt").write_text(f"numpy==2.0.0 {HASH}\n")
    return [str(tmp_path / "one.txt"), str(tmp_path / "two.txt")]


def audit(locks: list[str], url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    proxies = [name for name in os.environ if name.lower().endswith("_proxy")]
    return subprocess.run(
        [PYTHON, ROOT / "requirements/audit.py", *locks, "--", "--osv-url", url,
         "--cache-dir", folder / "cache"],
        env={name: value for name, value in os.environ.items() if name not in proxies},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_known_vulnerability_fails_and_is_told_with_the_locks_that_have_it(
    locks: list[str], database: Database, tmp_path: Path
) -> None:
    done = audit(locks, database({"attrs": {}, "numpy": {"vulns": [FAULT]}}), tmp_path)
    assert done.returncode == 1, done.stderr
    told, summary = done.stdout.splitlines()
    assert told.startswith("numpy==2.0.0: PYSEC-2020-1 CVE-2020-1; mended in 9.9; in ")
    assert all(lock in told for lock in locks)
    assert summary == "2 packages of 2 locks; known vulnerabilities: 1."


def test_locks_without_one_pass(locks: list[str], database: Database, tmp_path: Path) -> None:
    done = audit(locks, database({"attrs": {}, "numpy": {}}), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 packages of 2 locks; known vulnerabilities: none.\n"


@pytest.mark.parametrize("refuses", [True, False], ids=["nobody listens", "errors"])
def test_without_the_database_the_build_goes_on_and_nothing_is_called_sound(
    locks: list[str], database: Database, tmp_path: Path, refuses: bool
) -> None:
    """Guards a build without a network, and the silence that would pass for a clean result."""
    url = f"http://127.0.0.1:{free_port()}/query" if refuses else database({})
    done = audit(locks, url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Nothing was audited")
    assert "none" not in done.stdout


def test_a_lock_that_can_not_be_read_fails(database: Database, tmp_path: Path) -> None:
    """Guards an audit of nothing: what is not pinned by hash is no lock."""
    lock = tmp_path / "loose.txt"
    lock.write_text("numpy>=2\n")
    done = audit([str(lock)], database({"numpy": {}}), tmp_path)
    assert done.returncode == 2
    assert "hash" in done.stderr


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")
def test_the_target_audits_every_lock_of_the_repository() -> None:
    told = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.audit", "audit"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    audited = set(re.findall(r"\S+\.txt", told.partition("audit.py")[2]))
    tracked = subprocess.run(
        ["git", "ls-files", "*.txt"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert audited == {name for name in tracked if "--hash=sha256:" in (ROOT / name).read_text()}
