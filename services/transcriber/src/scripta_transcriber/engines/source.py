"""Where an engine's model comes from, as an operator says it. Nothing is ever downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scripta_transcriber.engines.base import EngineError
from scripta_transcriber.engines.onnx import packaged_path


class Device(StrEnum):
    """What a model runs on."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The operator's choice of a model.

    Attributes:
        model: Path of its folder, relative to ``folder`` unless absolute; or ``package:path`` for
            a folder inside an installed Python package; empty for the engine's own.
        folder: Where models are, usually a mounted volume.
        device: What it shall run on.
    """

    model: str = ""
    folder: Path = Path("/models")
    device: Device = Device.CPU

    @property
    def label(self) -> str:
        """Last part of the model's path: what clients may call it."""
        return Path(self.model.rpartition(":")[2]).name

    def find(self, engine: str) -> Path:
        """Returns the folder of the model that was chosen.

        Args:
            engine: Name of the engine, for the message.

        Raises:
            EngineError: None was chosen, or it is not there.
        """
        if not self.model:
            raise EngineError(
                f"engine {engine} has no model of its own: set MODEL to the path of one, or to "
                f"its name in {self.folder} (MODEL_DIR)"
            )
        package, colon, inside = self.model.partition(":")
        if colon:
            return packaged_path(package, package, inside)
        path = self.folder / self.model
        if not path.is_dir():
            raise EngineError(
                f"there is no folder {path} with a model: fetch it (scripta-models fetch NAME --to "
                f"{self.folder}), mount the volume that has it, or set MODEL to its path"
            )
        return path
