"""What holds for the repository as a whole: who may import whom, locks, typed packages."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Container, Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "scripta_common": ROOT / "services/common",
    "scripta_models": ROOT / "services/models",
    "scripta_gateway": ROOT / "services/gateway",
    "scripta_transcriber": ROOT / "services/transcriber",
    "scripta_client": ROOT / "clients/python",
    "scripta_local": ROOT / "local",
}
MAY_IMPORT = {
    "scripta_common": set[str](),
    "scripta_models": set[str](),
    "scripta_gateway": {"scripta_common"},
    "scripta_transcriber": {"scripta_common", "scripta_models"},
    "scripta_client": {"scripta_models"},
    # It runs the services as processes; of their code it needs none.
    "scripta_local": {"scripta_common", "scripta_client", "scripta_models"},
}
OURS = {"scripta_load", *(path.name for path in (ROOT / "tests").iterdir() if path.is_dir())}
"""Packages without a distribution, which tests find by their path."""

PROGRAMS = ROOT / "tests/clients/programs"
"""What runs vendors' packages, each in an environment made from a lock of its own."""

CLIENTS = sorted(path.stem for path in (ROOT / "requirements/clients").glob("*.in"))
TRANSCRIBER = {"scripta_common", "scripta_models", "scripta_transcriber"}
LOCKS = [
    "requirements/run.txt",
    "requirements/dev.txt",
    "requirements/build.txt",
    "requirements/model-whisper-base.txt",
    "services/gateway/requirements.txt",
    "services/transcriber/requirements.txt",
    "services/transcriber/requirements-sherpa.txt",
    "services/transcriber/requirements-whisper.txt",
    "loadtest/requirements.txt",
]


ON_GPU = "services/transcriber/requirements-whisper-cuda.txt"


def source_of(package: str) -> Path:
    return PACKAGES[package] / "src" / package


def imported_roots(folder: Path) -> dict[str, Path]:
    """Returns the top-level modules that a folder imports, each with one file that does.

    Programs that run in environments of their own have a test of their own.
    """
    found: dict[str, Path] = {}
    for path in folder.rglob("*.py"):
        if folder == PROGRAMS or PROGRAMS not in path.parents:
            for name in imports_of(path):
                found.setdefault(name, path.relative_to(ROOT))
    return found


def imports_of(path: Path) -> set[str]:
    """Returns the top-level modules that a file imports."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {name.partition(".")[0] for node in nodes for name in _imports(node)}


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        yield node.module


def declared(package: str, extras: Container[str] | None = None) -> set[str]:
    """Returns the distributions that a package says it needs, with its extras (``None``: all)."""
    project = tomllib.loads((PACKAGES[package] / "pyproject.toml").read_text())["project"]
    optional = project.get("optional-dependencies", {})
    chosen = [group for name, group in optional.items() if extras is None or name in extras]
    wanted = [*project["dependencies"], *(each for group in chosen for each in group)]
    return {
        normal(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]) for requirement in wanted
    }


def lacking(
    roots: Mapping[str, Path], available: set[str], distributions: Mapping[str, list[str]]
) -> dict[str, str]:
    """Returns the imports, each with its file, that no available distribution provides."""
    return {
        name: str(path)
        for name, path in roots.items()
        if name not in sys.stdlib_module_names
        and not {normal(each) for each in distributions.get(name, [name])} & available
    }


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("package", PACKAGES)
def test_package_imports_only_the_neighbours_it_may(package: str) -> None:
    roots = imported_roots(source_of(package))
    neighbours = {name for name in roots if name in PACKAGES and name != package}
    forbidden = {name: str(roots[name]) for name in neighbours - MAY_IMPORT[package]}
    assert not forbidden


@pytest.fixture(scope="module")
def distributions() -> Mapping[str, list[str]]:
    """The installed distributions of each top-level module."""
    return packages_distributions()


@pytest.mark.parametrize("package", PACKAGES)
def test_package_declares_what_it_imports(
    package: str, distributions: Mapping[str, list[str]]
) -> None:
    """Guards an image that lacks a package which the shared environment happens to have."""
    roots = imported_roots(source_of(package))
    assert not lacking(roots, declared(package) | {normal(package)}, distributions)


@pytest.mark.parametrize("folder", ["bench", "charts", "tests", "local", "clients", "services"])
def test_tests_and_benches_find_all_they_import_in_the_lock(
    folder: str, distributions: Mapping[str, list[str]]
) -> None:
    """Guards tests that pass only where somebody has installed more by hand."""
    roots = imported_roots(ROOT / folder)
    ours = [*(ROOT / folder).rglob("*.py"), *(ROOT / "tests" / "support").glob("*.py")]
    neighbours = {path.stem for path in ours} | OURS
    third_party = {name: path for name, path in roots.items() if name not in neighbours}
    available = {*pins("requirements/dev.txt"), *map(normal, PACKAGES)}
    assert not lacking(third_party, available, distributions)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_typed_and_says_its_licence_and_python(package: str) -> None:
    assert (PACKAGES[package] / "src" / package / "py.typed").is_file()
    project = tomllib.loads((PACKAGES[package] / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == ">=3.11"


@pytest.mark.parametrize("name", ["deepgram-js", "openai-js"])
def test_lock_for_node_has_digests_and_names_no_registry(name: str) -> None:
    text = (ROOT / "requirements/clients" / name / "package-lock.json").read_text()
    packages = {path: each for path, each in json.loads(text)["packages"].items() if path}
    assert packages
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert "://" not in text


def test_vendors_programs_import_only_what_a_lock_of_theirs_holds() -> None:
    """Guards a program that runs only where somebody has installed more by hand."""
    ours = {path.stem for path in PROGRAMS.glob("*.py")} | set(sys.stdlib_module_names)
    modules = {"deepgram": "deepgram-sdk", "livekit": "livekit-agents", "pipecat": "pipecat-ai"}
    for path in PROGRAMS.glob("*.py"):
        wanted = {modules.get(name, name) for name in imports_of(path) - ours}
        locks = [pins(f"requirements/clients/{client}.txt").keys() for client in CLIENTS]
        assert any(wanted <= lock for lock in locks), f"{path.name} needs {sorted(wanted)}"


@pytest.mark.parametrize(
    "lock", [*LOCKS, *(f"requirements/clients/{name}.txt" for name in CLIENTS)]
)
def test_lock_pins_every_package_by_hash_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    requirements = text.replace("\\\n", " ").splitlines()
    pinned = [line for line in requirements if line and not line.lstrip().startswith("#")]
    assert pinned
    for line in pinned:
        assert re.match(r"[a-z0-9.-]+==\S+", line), line
        assert "--hash=sha256:" in line, line
    assert "://" not in text
    assert not re.search(r"(?m)^\s*(--|-e|-i|-f)", text.replace("    --hash", "hash"))
    assert "\nscripta-" not in text


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([a-z0-9.-]+)==([^ \\;]+)", (ROOT / lock).read_text()))


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_agree(lock: str) -> None:
    assert pins(lock).items() <= pins("requirements/dev.txt").items()


def test_image_for_gpus_has_that_of_whisper_and_libraries_of_nvidia() -> None:
    """Guards words that differ between CPU and GPU for want of the same packages."""
    whisper = pins("services/transcriber/requirements-whisper.txt")
    assert whisper.items() <= pins(ON_GPU).items()
    added = pins(ON_GPU).keys() - whisper.keys()
    assert "nvidia-cublas-cu12" in added
    assert all(name.startswith("nvidia-") for name in added)


@pytest.mark.parametrize(
    ("lock", "packages", "extras"),
    [
        ("requirements/run.txt", set(PACKAGES), {"mic", "top"}),
        ("services/gateway/requirements.txt", {"scripta_common", "scripta_gateway"}, set()),
        ("services/transcriber/requirements.txt", TRANSCRIBER, {"s3"}),
        ("services/transcriber/requirements-sherpa.txt", TRANSCRIBER, {"s3", "sherpa"}),
        ("services/transcriber/requirements-whisper.txt", TRANSCRIBER, {"s3", "whisper"}),
        (ON_GPU, TRANSCRIBER, {"s3", "whisper-cuda"}),
        ("requirements/dev.txt", TRANSCRIBER, {"s3", "sherpa", "whisper"}),
    ],
)
def test_lock_holds_what_its_packages_declare(
    lock: str, packages: set[str], extras: set[str]
) -> None:
    wanted = {name for package in packages for name in declared(package, extras)}
    assert {name for name in wanted if not name.startswith("scripta-")} <= pins(lock).keys()


def test_load_kits_lock_holds_what_it_imports(distributions: Mapping[str, list[str]]) -> None:
    """Guards its image, which holds that lock and no more."""
    roots = imported_roots(ROOT / "loadtest")
    del roots["scripta_load"]
    assert not lacking(roots, set(pins("loadtest/requirements.txt")), distributions)
