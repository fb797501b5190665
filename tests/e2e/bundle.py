"""Packs the client that runs in a pod into one zip file, which Python runs as it is."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from functools import cache
from pathlib import Path

_WHOLE = ("scripta_client", "e2e.inside")
_PARTS = {"chaos": ("__init__.py", "sessions.py", "returning.py"), "e2e": ("__init__.py",)}
_MAIN = "from e2e.inside.main import main\n\nmain()\n"
_WHEN = (2026, 1, 1, 0, 0, 0)


@cache
def client_zip() -> bytes:
    """Returns the zip file; the same bytes for the same sources."""
    files = {"__main__.py": _MAIN.encode()}
    for package in _WHOLE:
        folder = _folder(package)
        for path in folder.rglob("*.py"):
            files[f"{package.replace('.', '/')}/{path.relative_to(folder)}"] = path.read_bytes()
    for package, names in _PARTS.items():
        for name in names:
            files[f"{package}/{name}"] = (_folder(package) / name).read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return packed.getvalue()


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {package} can not be found")
    return Path(spec.origin).parent
