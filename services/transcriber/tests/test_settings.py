"""Which engines the settings ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripta_transcriber.engines.source import Device
from scripta_transcriber.settings import TranscriberSettings

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("engine", "model", "wanted"),
    [
        ("", "", [("moonshine", "")]),
        ("", "parakeet-tdt-0.6b-v3", [("sherpa", "parakeet-tdt-0.6b-v3")]),
        ("", "moonshine-tiny-en, whisper-base", [("moonshine", ""), ("whisper", "whisper-base")]),
        ("", "own-moonshine", [("moonshine", "own-moonshine")]),
        (" Whisper ", "small", [("whisper", "small")]),
        ("moonshine,whisper", ",whisper-base", [("moonshine", ""), ("whisper", "whisper-base")]),
        ("moonshine,mock", "", [("moonshine", ""), ("mock", "")]),
    ],
)
def test_name_of_the_catalogue_says_what_runs_it(
    engine: str, model: str, wanted: list[tuple[str, str]]
) -> None:
    """Guards a model that is named in one line and then not found, or given to another engine."""
    settings = TranscriberSettings(engine=engine, model=model, model_dir=Path("/m"))
    assert [(name, source.model) for name, source in settings.engines] == wanted
    assert all(source.folder == Path("/m") for _, source in settings.engines)


def test_only_those_that_can_use_a_gpu_are_told_of_it() -> None:
    settings = TranscriberSettings(model="moonshine-tiny-en,whisper-base", device=Device.CUDA)
    assert [source.device for _, source in settings.engines] == [Device.CPU, Device.CUDA]
