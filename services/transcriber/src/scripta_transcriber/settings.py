"""Settings of the transcriber, read from the environment and nowhere else."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from scripta_common.fleet import POOL_PATTERN
from scripta_common.keys import DEFAULT_POOL
from scripta_common.settings import CommonSettings
from scripta_transcriber.cores import usable_cores
from scripta_transcriber.engines import ON_CUDA
from scripta_transcriber.engines.named import engines_of
from scripta_transcriber.engines.source import Device, ModelSource


class TranscriberSettings(CommonSettings):
    """What can be set on a transcriber; the names are the environment's, in lower case."""

    engine: str = Field(
        "",
        description="What hears: moonshine, whisper or sherpa; or mock for load tests. Several, "
        "such as moonshine,whisper,whisper, serve side by side; the first is preferred. By default "
        "what the catalogue says of MODEL, else moonshine",
    )
    model: str = Field(
        "",
        description="Model of the engine: path of its folder, relative to MODEL_DIR, or "
        "package:path inside an installed package; moonshine brings its own. Of several engines "
        "one each, such as ,small,large-v3. Without ENGINE names of the catalogue",
    )
    model_dir: Path = Field(Path("/models"), description="Where models are, such as a volume")
    device: Device = Field(Device.CPU, description="What whisper runs on: cpu or cuda")
    pool: str = Field(
        DEFAULT_POOL,
        pattern=POOL_PATTERN,
        description="Pool whose sessions it serves; all transcribers of one run the same models",
    )
    slots: int | None = Field(
        None,
        ge=1,
        description="Sessions at a time; by default what the threads sustain: measured at start "
        "with moonshine, else what the engine does per thread, the least of several",
    )
    threads: int = Field(
        default_factory=usable_cores, ge=1, le=64, description="Threads that run the engines"
    )
    interim_seconds: float = Field(
        0.5, ge=0.1, description="New audio that makes another interim worth it"
    )
    rebalance: bool = Field(
        True,
        description="Whether live sessions are handed over to transcribers of the pool that have "
        "less to do",
    )
    usage_days: int = Field(
        35,
        ge=1,
        le=400,
        description="How long the broker keeps what each tenant has used; export it before",
    )
    health_host: str = Field("0.0.0.0", description="Address of the probes and metrics")
    health_port: int = Field(8001, ge=1, le=65535, description="Port of the probes and metrics")

    @field_validator("model")
    @classmethod
    def _one_for_each_engine(cls, model: str, info: ValidationInfo) -> str:
        if not (asked := info.data.get("engine", "").strip()):
            return model
        engines = len(asked.split(","))
        if model and len(model.split(",")) != engines:
            raise ValueError(
                f"it has {len(model.split(','))} entries and ENGINE {engines}: give each engine "
                "one, empty for its own"
            )
        return model

    @property
    def engines(self) -> list[tuple[str, ModelSource]]:
        """The engines, each with where its model is."""
        models = [model.strip() for model in self.model.split(",")]
        if not self.engine.strip():
            named = engines_of(models)
        else:
            asked = [name.strip().lower() for name in self.engine.split(",")]
            named = list(zip(asked, models if self.model else [""] * len(asked), strict=True))
        names = [name for name, _ in named]
        # Beside one that can use it, the others do not mind.
        shared = any(name in ON_CUDA for name in names)
        return [
            (
                name,
                ModelSource(
                    model,
                    self.model_dir,
                    Device.CPU if shared and name not in ON_CUDA else self.device,
                ),
            )
            for name, model in named
        ]
