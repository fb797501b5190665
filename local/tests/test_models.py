"""Models that packages carry: what ``MODEL`` may name, and how their files come together."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from scripta_local import models
from scripta_local.errors import ModelMissing, UnknownModel
from scripta_local.models import Carried, Joined, Serving, put_together, serving

pytestmark = pytest.mark.unit

WHOLE = b"the first half and the second"


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Carried:
    """A small model in two packages."""
    for package, name, data in (
        ("carrier_one", "config.json", b"{}"),
        ("carrier_one", "model.bin.part1", WHOLE[:14]),
        ("carrier_two", "model.bin.part2", WHOLE[14:]),
    ):
        folder = tmp_path / "site" / package
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
        (folder / name).write_bytes(data)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    parts = (("carrier_one", "model.bin.part1"), ("carrier_two", "model.bin.part2"))
    return Carried(
        {"config.json": ("carrier_one", "config.json")},
        Joined("model.bin", parts, hashlib.sha256(WHOLE).hexdigest()),
    )


def test_parts_become_a_model_once(carried: Carried, tmp_path: Path) -> None:
    folder = put_together(carried, tmp_path / "models" / "small")
    assert (folder / "model.bin").read_bytes() == WHOLE
    assert (folder / "config.json").read_bytes() == b"{}"
    written = (folder / "model.bin").stat().st_mtime_ns
    assert put_together(carried, folder) == folder
    assert (folder / "model.bin").stat().st_mtime_ns == written
    assert {path.name for path in folder.iterdir()} == {"model.bin", "config.json"}


def test_model_of_an_interrupted_run_is_written_again(carried: Carried, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "model.bin").write_bytes(WHOLE[:20])
    put_together(carried, folder)
    assert (folder / "model.bin").read_bytes() == WHOLE


def test_damaged_part_is_told_and_leaves_no_model(carried: Carried, tmp_path: Path) -> None:
    (tmp_path / "site" / "carrier_two" / "model.bin.part2").write_bytes(b"something else")
    with pytest.raises(ModelMissing, match=r"model\.bin is not what it should be"):
        put_together(carried, tmp_path / "small")
    assert [path.name for path in (tmp_path / "small").iterdir()] == ["config.json"]


def test_package_that_is_not_installed_is_named_with_the_fix(
    carried: Carried, tmp_path: Path
) -> None:
    (tmp_path / "site" / "carrier_two" / "__init__.py").unlink()
    (tmp_path / "site" / "carrier_two" / "model.bin.part2").unlink()
    (tmp_path / "site" / "carrier_two").rmdir()
    with pytest.raises(ModelMissing, match=r"carrier_two: it is not installed") as missing:
        put_together(carried, tmp_path / "small")
    assert "make run MODEL=" in missing.value.fix


@pytest.mark.parametrize("model", ["", "moonshine-tiny-en"])
def test_default_model_is_served_by_its_engine_alone(model: str) -> None:
    """Guards the name of the default model, which the transcriber would take for a folder."""
    assert serving("", model) == Serving("moonshine", {"MODEL": ""})


def test_second_model_is_served_beside_the_default_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models, "FOLDER", tmp_path)
    monkeypatch.setattr(models, "put_together", lambda model, folder: folder)
    served = serving("", "whisper-base")
    assert served.engine == "moonshine,whisper"
    assert served.env == {"MODEL": ",whisper-base", "MODEL_DIR": str(tmp_path)}


def test_with_an_engine_the_model_is_the_transcribers_own_setting() -> None:
    assert serving("whisper", "/models/small") == Serving("whisper")


def test_unknown_model_names_those_there_are() -> None:
    with pytest.raises(UnknownModel) as unknown:
        serving("", "whisper-huge")
    assert "moonshine-tiny-en or whisper-base" in unknown.value.problem
    assert "ENGINE=whisper MODEL=whisper-huge" in unknown.value.fix
