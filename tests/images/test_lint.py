"""The Dockerfiles, as linters read them; needs no container."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, SERVICES

pytestmark = pytest.mark.images

DOCKERFILES = [f"services/{service}/Dockerfile" for service in SERVICES]
TOOLS = Path(sys.prefix, "bin")
CHECKOV = Path(sys.prefix, "audit/bin/checkov")
BUILT_BY_ANY_BUILDER = ("# syntax", "--link", "<<", "type=cache")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_hadolint_has_nothing_to_say() -> None:
    done = run(TOOLS / "hadolint", *DOCKERFILES)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.skipif(not CHECKOV.exists(), reason="checkov is not installed (make test does it)")
def test_checkov_finds_nothing_but_what_a_dockerfile_excuses() -> None:
    options = ["--framework", "dockerfile", "--skip-download", "--compact", "--output", "json"]
    files = [part for name in DOCKERFILES for part in ("--file", name)]
    done = run(CHECKOV, *options, *files)
    results = json.loads(done.stdout)["results"]
    assert len(results["passed_checks"]) > 20
    assert [(one["check_id"], one["file_path"]) for one in results["failed_checks"]] == []
    assert all(one["check_result"]["suppress_comment"] for one in results["skipped_checks"])


@pytest.mark.parametrize("name", DOCKERFILES)
def test_default_base_is_pinned_to_a_release_and_the_only_one(name: str) -> None:
    """The one thing that checkov can not see through the argument."""
    text = (ROOT / name).read_text()
    assert re.search(r"(?m)^ARG BASE_IMAGE=python:3\.\d+-slim-[a-z]+$", text)
    sources = re.findall(r"(?m)^FROM (\S+)", text)
    stages = re.findall(r"(?m)^FROM \S+ AS (\S+)", text)
    assert set(sources) - set(stages) == {"${BASE_IMAGE}"}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_dockerfile_says_nothing_that_only_one_builder_knows(name: str) -> None:
    text = (ROOT / name).read_text()
    assert [word for word in BUILT_BY_ANY_BUILDER if word in text] == []


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_package_is_taken_by_its_hash_or_from_here(name: str) -> None:
    commands = (ROOT / name).read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel) [^&\n]*", commands)
    assert len(installs) == 4
    for install in installs:
        assert "--no-deps" in install
        assert "--require-hashes" in install or "--no-index" in install


def test_dockerfiles_differ_only_where_the_services_do() -> None:
    """Guards a base layer that is shared, and a mend that reaches only one of the two."""
    gateway, transcriber = (
        (ROOT / name).read_text().partition("# The locked")[0].replace(service, "…")
        for name, service in zip(DOCKERFILES, SERVICES, strict=True)
    )
    assert gateway == transcriber


def test_make_images_builds_and_pushes_both_under_the_names_of_the_chart(tmp_path: Path) -> None:
    """A builder that notes what it is asked stands in for one that has a registry."""
    builder, notes = tmp_path / "builder", tmp_path / "notes"
    builder.write_text(f'#!/bin/sh\necho "$@" >>{notes}\n')
    builder.chmod(0o755)
    wanted = (f"BUILDER={builder}", "IMAGE_PREFIX=registry.example/speech", "TAG=9", "PUSH=1")
    done = run("make", "images", *wanted, "BASE_IMAGE=base:1")
    assert done.returncode == 0, done.stderr
    asked = notes.read_text().splitlines()
    assert len(asked) == 4
    for service, (building, pushing) in zip(SERVICES, (asked[:2], asked[2:]), strict=True):
        name = f"registry.example/speech/scripta-{service}:9"
        assert building.startswith("build --format docker")
        assert f"-f services/{service}/Dockerfile -t {name} " in building
        assert "BASE_IMAGE=base:1" in building
        assert pushing == f"push {name}"
