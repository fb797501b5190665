"""What is in the images, and what is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import ROOT, SERVICES, Build
from .containers import LOCKED_DOWN, Images

pytestmark = [pytest.mark.images, pytest.mark.slow, pytest.mark.timeout(600)]

MOST_BYTES = {"gateway": 250_000_000, "transcriber": 230_000_000}
"""What an image may add to its base; a library that is not used any more costs 30 MB and up."""

PROGRAMS = {
    "gateway": ["scripta-gateway"],
    "transcriber": ["scripta-models", "scripta-transcriber"],
}

LOOK_FOR_LEFTOVERS = """
import importlib.util, json, shutil, sys
from pathlib import Path
packages = Path(sys.prefix, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}",
                "site-packages")
sources = list(packages.rglob("*.py"))
print(json.dumps({
    "programs": sorted(path.name for path in Path(sys.prefix, "bin").iterdir()),
    "installers": [name for name in ("pip", "hatchling", "ensurepip", "setuptools")
                   if importlib.util.find_spec(name)]
                  + [name for name in ("pip", "pip3") if shutil.which(name)],
    "tests": [str(path) for folder in ("scripta_*", "numpy", "onnxruntime")
              for top in packages.glob(folder) for path in top.rglob("tests")],
    "editable": [str(path) for path in packages.glob("*.pth")],
    "sources": len(sources),
    "not compiled": [str(path) for path in sources
                     if not Path(importlib.util.cache_from_source(path)).exists()],
}))
"""

LOOK_FOR_WRITABLE_PLACES = """
import json, os
found = []
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders
                  if os.path.join(folder, name) not in ("/proc", "/sys", "/dev")]
    for name in (*folders, *files):
        path = os.path.join(folder, name)
        if os.access(path, os.W_OK) and not os.path.islink(path):
            found.append(path)
print(json.dumps({"uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
                  "writable": found}))
"""

LOOK_FOR_BYTECODE = """
import json, os, sys
from importlib.machinery import SourceFileLoader
import {module}
specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
read = [spec for spec in specs if spec and isinstance(spec.loader, SourceFileLoader)]
print(json.dumps({
    "read": len(read),
    "not compiled": [spec.name for spec in read if not os.path.exists(spec.cached or "")],
}))
"""


@pytest.mark.parametrize("service", SERVICES)
def test_image_says_what_it_is_and_how_it_is_run(images: Images, service: str) -> None:
    config = images.config(service)
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == [f"/opt/scripta/bin/scripta-{service}"]
    labels = config["Labels"]
    named = {key.rpartition(".")[2] for key in labels if key.startswith("org.opencontainers.")}
    assert named >= {"title", "description", "version", "revision", "source", "licenses"}
    assert labels["org.opencontainers.image.revision"] == "tested"


@pytest.mark.parametrize("service", SERVICES)
def test_image_holds_the_service_and_no_more(images: Images, service: str) -> None:
    """Guards what an attacker could use, and a start that compiles what it can not keep."""
    found = json.loads(images.run(service, LOOK_FOR_LEFTOVERS))
    assert found.pop("sources") > 500
    programs = found.pop("programs")
    assert [name for name in programs if not name.startswith("python")] == PROGRAMS[service]
    assert found == {"installers": [], "tests": [], "editable": [], "not compiled": []}


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_that_the_service_loads_is_compiled_at_the_start(
    images: Images, service: str
) -> None:
    program = LOOK_FOR_BYTECODE.replace("{module}", f"scripta_{service}.__main__")
    found = json.loads(images.run(service, program))
    assert found["read"] > 300
    assert found["not compiled"] == []


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_nobody_and_can_write_nowhere(images: Images, service: str) -> None:
    """The image's own permissions hold without a read-only root, too."""
    locked = [option for option in LOCKED_DOWN if not option.startswith("--read-only")]
    told = images.podman.call(
        "run", "--rm", *locked, "--entrypoint=python", images.names[service],
        "-c", LOOK_FOR_WRITABLE_PLACES,
    )  # fmt: skip
    found = json.loads(told)
    assert (found["uid"], found["gid"]) == (10001, 10001)
    assert 0 not in found["groups"]
    own = [
        path
        for path in found["writable"]
        if not path.startswith(("/tmp", "/var/tmp", "/run/lock", "/var/lock"))
    ]
    assert own == []


@pytest.mark.parametrize("service", SERVICES)
def test_image_is_not_larger_than_it_must_be(
    images: Images, service: str, record_property: Callable[[str, object], None]
) -> None:
    base, size = int(images.podman.inspect(images.base)["Size"]), images.size(service)
    record_property("figure", f"image {service}: {size / 1e6:.0f} MB, its base {base / 1e6:.0f} MB")
    assert size - base < MOST_BYTES[service]


@pytest.mark.parametrize("service", SERVICES)
def test_bad_setting_ends_the_container_with_its_name(images: Images, service: str) -> None:
    done = images.podman.attempt(
        "run", "--rm", *LOCKED_DOWN, "--env=LEASE_SECONDS=soon", images.names[service]
    )
    assert done.returncode == 2
    assert "LEASE_SECONDS" in done.stderr


def test_transcribers_image_fetches_models_into_a_volume(images: Images) -> None:
    """Guards the init container of the chart: it can write its volume and nothing else."""
    told = images.podman.call(
        "run", "--rm", *LOCKED_DOWN, "--tmpfs=/models:rw,mode=1777",
        "--entrypoint=scripta-models", images.names["transcriber"],
        "fetch", "moonshine-tiny-en", "--to", "/models",
    )  # fmt: skip
    assert told == "/models/moonshine-tiny-en\n"


def test_services_share_all_below_their_dependencies(images: Images) -> None:
    gateway, transcriber = (images.layers(service) for service in SERVICES)
    assert gateway[:-2] == transcriber[:-2]
    assert gateway[-2] != transcriber[-2]


def test_change_of_source_makes_only_the_last_layer_anew(
    images: Images, build: Build, tmp_path: Path
) -> None:
    """Guards quick rebuilds, and pulls of a megabyte instead of a hundred."""
    for part in ("requirements", "services", ".dockerignore"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    source = tmp_path / "services/common/src/scripta_common/keys.py"
    source.write_text(source.read_text() + "\nCHANGED = True\n")
    name = build("gateway", f"{images.names['gateway']}-changed", tmp_path)
    try:
        changed = list(images.podman.inspect(name)["RootFS"]["Layers"])
    finally:
        images.podman.attempt("untag", name)
    before = images.layers("gateway")
    assert changed[:-1] == before[:-1]
    assert changed[-1] != before[-1]
