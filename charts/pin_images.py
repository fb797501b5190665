"""Writes the digests of third-party images into files: ``pin_images.py FILE…``.

Third-party is what names its registry, as one reference with a tag, or as `repository` and `tag`
in a chart's values. The digest follows the tag, as in `8.1@sha256:…`. Whatever is there of crane,
skopeo and Docker's buildx asks the registry for the digest of the whole index, which holds for
every kind of processor. Nothing is written if one image can not be found.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_SECONDS = 60
_NAME = r"[a-z0-9][a-z0-9.-]*\.[a-z]+/[a-z0-9./-]+"
_PIN = re.compile(
    rf"(?P<name>{_NAME})(?P<between>:|\n(?: +#.*\n)* +tag: )"
    r"(?P<tag>\w[\w.-]*)(?:@sha256:[0-9a-f]{64})?"
)


class NotFoundError(Exception):
    """The digest of an image can not be found out; the text says why."""


def main(files: Sequence[str]) -> int:
    """Pins the images of all files; returns the exit code."""
    try:
        texts = {Path(name): pinned(Path(name).read_text("utf-8")) for name in files}
    except NotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    return 0


def pinned(text: str) -> str:
    """Returns the text of a file with the digests of today; raises ``NotFoundError``."""
    return _PIN.sub(_pinned, text)


def _pinned(found: re.Match[str]) -> str:
    name, between, tag = found["name"], found["between"], found["tag"]
    return f"{name}{between}{tag}@{digest(f'{name}:{tag}')}"


@cache
def digest(reference: str) -> str:
    """Returns the digest of an image's index; raises ``NotFoundError``."""
    if shutil.which("crane"):
        found = _output("crane", "digest", reference).decode().strip()
    elif shutil.which("skopeo"):
        index = _output("skopeo", "inspect", "--raw", f"docker://{reference}")
        found = f"sha256:{hashlib.sha256(index).hexdigest()}"
    elif shutil.which("docker"):
        form = ("--format", "{{.Manifest.Digest}}")
        found = (
            _output("docker", "buildx", "imagetools", "inspect", *form, reference).decode().strip()
        )
    else:
        raise NotFoundError("There is no crane, skopeo or docker here that could ask a registry.")
    if not re.fullmatch("sha256:[0-9a-f]{64}", found):
        raise NotFoundError(f"{reference}: this is no digest: {found!r}")
    print(f"{reference} is {found}")
    return found


def _output(*command: str) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise NotFoundError(f"{' '.join(command)} failed: {said}") from error
    except subprocess.TimeoutExpired as error:
        raise NotFoundError(f"{' '.join(command)} took more than {_SECONDS} s") from error
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
