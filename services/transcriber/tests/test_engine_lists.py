"""How ENGINE and MODEL list the engines of a transcriber."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripta_transcriber.engines.source import Device, ModelSource
from scripta_transcriber.settings import TranscriberSettings

pytestmark = pytest.mark.unit


def engines(**settings: str) -> list[tuple[str, ModelSource]]:
    return TranscriberSettings.model_validate(settings).engines


def source(model: str = "", device: Device = Device.CPU) -> ModelSource:
    return ModelSource(model, Path("/models"), device)


def test_each_engine_gets_the_model_in_its_place() -> None:
    assert engines(engine="moonshine, Whisper,whisper", model=",small, large-v3") == [
        ("moonshine", source()),
        ("whisper", source("small")),
        ("whisper", source("large-v3")),
    ]
    assert engines(engine="moonshine,mock") == [("moonshine", source()), ("mock", source())]


def test_device_is_for_those_that_can_use_it() -> None:
    assert engines(engine="moonshine,whisper", model=",small", device="cuda") == [
        ("moonshine", source()),
        ("whisper", source("small", Device.CUDA)),
    ]


def test_device_that_none_can_use_is_left_to_be_refused() -> None:
    assert engines(engine="moonshine", device="cuda") == [("moonshine", source("", Device.CUDA))]
