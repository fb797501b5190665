"""Where models come from, and what an engine's maker says when one can not be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripta_transcriber.engines import create_engine
from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.source import Device, ModelSource

pytestmark = pytest.mark.unit


def test_model_is_found_by_its_name_on_the_volume_or_by_its_path(tmp_path: Path):
    (tmp_path / "small").mkdir()
    assert ModelSource("small", tmp_path).find("whisper") == tmp_path / "small"
    assert ModelSource(str(tmp_path / "small"), Path("/models")).find("whisper") == (
        tmp_path / "small"
    )


def test_model_is_found_inside_a_package():
    found = ModelSource("moonshine_voice:assets/tiny-en").find("moonshine")
    assert (found / "encoder_model.ort").is_file()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("", r"set MODEL to the path of one, or to its name in /models \(MODEL_DIR\)"),
        (
            "small",
            "no folder /models/small with a model: fetch it",
        ),
        ("/nowhere/small", "no folder /nowhere/small"),
        ("no_such_package:model", "pip install 'no_such_package'"),
        ("moonshine_voice:assets/large", "assets/large is missing"),
    ],
)
def test_model_that_is_not_there_names_the_fix(model: str, message: str):
    with pytest.raises(EngineError, match=message):
        ModelSource(model).find("whisper")


@pytest.mark.parametrize(
    ("model", "label"),
    [("", ""), ("base", "base"), ("/mnt/m/small.en", "small.en"), ("package:a/tiny", "tiny")],
)
def test_clients_may_call_a_model_by_the_last_part_of_its_path(model: str, label: str):
    assert ModelSource(model).label == label


def test_moonshine_takes_a_folder_of_its_own_files():
    assert create_engine("moonshine", 1, ModelSource("moonshine_voice:assets/tiny-en")).name
    with pytest.raises(EngineError, match="no folder /models/other"):
        create_engine("moonshine", 1, ModelSource("other"))


def test_engine_that_can_not_use_the_device_says_so():
    with pytest.raises(EngineError, match="moonshine runs on the CPU only: leave DEVICE unset"):
        create_engine("moonshine", 1, ModelSource(device=Device.CUDA))


@pytest.mark.parametrize(
    ("engine", "package"),
    [("whisper", "faster_whisper"), ("sherpa", "sherpa_onnx"), ("moonshine", "onnxruntime")],
)
def test_missing_package_names_the_fix(monkeypatch: pytest.MonkeyPatch, engine: str, package: str):
    for module in [m for m in sys.modules if m.startswith("scripta_transcriber.engines.")]:
        if f".engines.{engine}" in module or module.endswith(".onnx"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EngineError, match=f"needs package {package}") as refused:
        create_engine(engine, 1)
    extra = f"scripta-transcriber[{engine}]' or build the image with --build-arg EXTRAS={engine}"
    assert (extra.replace(" or", ", or") in str(refused.value)) == (engine != "moonshine")
