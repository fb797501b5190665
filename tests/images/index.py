"""How pip on this machine reaches its index, for a build that must reach the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_KEYS = ("index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "cert", "timeout")
_SETTING = re.compile(r"(?m)^([\w:-]+)\.([\w-]+)='(.*)'$")
_CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def pip_settings() -> dict[str, str]:
    """Returns what files and environment tell pip about its index; may hold a password."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    settings: dict[str, str] = {}
    # Of several sources for a key the environment's comes first, and pip obeys it.
    for source, key, value in sorted(_SETTING.findall(told), key=lambda found: found[0]):
        if key in _KEYS and source in (":env:", "global", "install"):
            settings.setdefault(key, value.replace("\\n", " ").strip())
    for name in _CERTIFICATES:
        if os.environ.get(name):
            settings.setdefault("cert", os.environ[name])
    return settings


def pip_conf(settings: dict[str, str]) -> str:
    """Returns the settings as a configuration file of pip."""
    return "\n".join(["[global]", *(f"{key} = {value}" for key, value in settings.items()), ""])


def local_paths(settings: dict[str, str]) -> list[Path]:
    """Returns the files and folders of this machine that the settings name."""
    places = [
        place
        for key in ("index-url", "extra-index-url", "find-links", "cert")
        for place in settings.get(key, "").split()
    ]
    paths = [
        Path(url2pathname(urlsplit(place).path) if place.startswith("file:") else place)
        for place in places
        if place.startswith(("file:", "/"))
    ]
    # An index's pages refer to files beside them.
    folders = [path.parent if path.name == "simple" else path for path in paths]
    return sorted({folder for folder in folders if folder.exists()})
