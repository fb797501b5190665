"""Where files are: URIs of sources, and the URL under which a file of a source is asked for. Pure.

Mirrors: ``mirror/owner/repository/resolve/revision/file`` stands for a file of a hub, which are the
hub's own paths, and ``mirror/host/path`` for any other URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from scripta_models.errors import WrongUsage

HUB: Final = "https://huggingface.co"
"""The hub of ``hf://``, unless ``HF_ENDPOINT`` names another."""

ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""Ends of the names of archives that are unpacked."""

_PLAIN: Final = "/:@+"
"""What a path of a URL may hold as it is."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_FORMS: Final = (
    "hf://owner/repository@revision, https://…, s3://bucket/folder, file:///folder, "
    "package:module/folder or the path of a folder"
)


class Scheme(StrEnum):
    """The kinds of places."""

    HUB = "hf"
    WEB = "https"
    BUCKET = "s3"
    FILE = "file"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Place:
    """A file or a folder at a source.

    Attributes:
        scheme: What kind of place it is.
        root: Its repository, host (with ``https://``), bucket or module; empty for a file.
        path: Its path below that; absolute for a file.
        revision: Commit, tag or branch; of hubs only.
        query: Query of a URL, which may hold a secret.
    """

    scheme: Scheme
    root: str
    path: str
    revision: str = ""
    query: str = ""

    @property
    def is_commit(self) -> bool:
        """Whether the revision is a commit, so that it never has other files."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def is_archive(self) -> bool:
        """Whether the name is that of an archive."""
        return self.path.lower().endswith(ARCHIVES)

    @property
    def is_local(self) -> bool:
        """Whether it is read without a network."""
        return self.scheme in (Scheme.FILE, Scheme.PACKAGE)

    @property
    def label(self) -> str:
        """A name for a model from here: the last part of the path, without the archive's end."""
        name = PurePosixPath(self.path).name or PurePosixPath(self.root).name
        for end in sorted(ARCHIVES, key=len, reverse=True):
            name = name.removesuffix(end)
        return name.lower()

    def __str__(self) -> str:
        """Returns the place as a URI, without passwords and queries."""
        match self.scheme:
            case Scheme.HUB:
                inside = f"/{self.path}" if self.path else ""
                return f"hf://{self.root}@{self.revision}{inside}"
            case Scheme.WEB:
                parts = urlsplit(self.root)
                return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{self.path}"
            case Scheme.BUCKET:
                return f"s3://{self.root}/{self.path}"
            case Scheme.FILE:
                return self.path
            case Scheme.PACKAGE:
                return f"package:{self.root}/{self.path}"

    def inside(self, path: str) -> Place:
        """Returns the place of a file in this folder; a URI is a place of its own."""
        if "://" in path or path.startswith("package:"):
            return parse(path)
        joined = f"{self.path.rstrip('/')}/{path}" if self.path else path
        return replace(self, path=joined, query="")


def parse(uri: str) -> Place:
    """Returns the place that a URI or the path of a folder names.

    Raises:
        WrongUsage: It names none.
    """
    if uri.startswith("package:"):
        module, _, inside = uri.removeprefix("package:").partition("/")
        if not module.isidentifier():
            raise WrongUsage(f"{uri!r} names no module: package:module/folder")
        return Place(Scheme.PACKAGE, module, _inner(uri, inside))
    if "://" not in uri:
        return Place(Scheme.FILE, "", str(Path(uri).absolute()))
    try:
        parts = urlsplit(uri)
        scheme = "https" if parts.scheme == "http" else parts.scheme
        kind = Scheme(scheme)
        assert parts.port != 0
    except (ValueError, AssertionError):
        raise WrongUsage(f"{uri.partition('?')[0]!r} is not a source: {_FORMS}") from None
    match kind:
        case Scheme.HUB:
            return _hub(uri)
        case Scheme.FILE:
            return Place(kind, "", unquote(parts.path))
    path = _inner(uri, unquote(parts.path.lstrip("/")))
    if not parts.hostname:
        raise WrongUsage(f"{uri!r} names no host or bucket")
    if kind is Scheme.BUCKET:
        return Place(kind, parts.netloc, path)
    return Place(kind, f"{parts.scheme}://{parts.netloc}", path, query=parts.query)


def mirrored(place: Place, mirror: str) -> Place:
    """Returns where a mirror has a file of a hub or of the web; other places stay as they are.

    Args:
        place: Where the file is.
        mirror: URI of the mirror; empty for none.
    """
    if not mirror or place.scheme not in (Scheme.HUB, Scheme.WEB):
        return place
    if place.scheme is Scheme.HUB:
        path = f"{place.root}/resolve/{place.revision}/{place.path}"
    else:
        path = f"{urlsplit(place.root).netloc.rpartition('@')[2]}/{place.path}"
    return replace(parse(mirror).inside(path), query=place.query)


def web_url(place: Place, hub: str = HUB) -> str:
    """Returns the URL of a place that is reached by HTTP.

    Args:
        place: On a hub or on the web.
        hub: URL of the hub.
    """
    if place.scheme is Scheme.HUB:
        file = f"{quote(place.revision, safe='')}/{quote(place.path, safe=_PLAIN)}"
        return f"{hub.rstrip('/')}/{place.root}/resolve/{file}"
    query = f"?{place.query}" if place.query else ""
    return f"{place.root}/{quote(place.path, safe=_PLAIN)}{query}"


def shown(url: str) -> str:
    """Returns a URL for a message: without a password and a query, which may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{unquote(parts.path)}"


def _hub(uri: str) -> Place:
    found = re.fullmatch(r"hf://([^/@]+/[^/@]+)@([^/?]+)(?:/(.*))?", uri)
    if not found:
        raise WrongUsage(
            f"{uri!r} needs a repository and its revision: hf://owner/repository@commit"
        )
    root, revision, path = found.groups()
    return Place(Scheme.HUB, root, _inner(uri, (path or "").rstrip("/")), unquote(revision))


def _inner(uri: str, path: str) -> str:
    if ".." in path.split("/"):
        raise WrongUsage(f"{uri!r} leads out of its folder")
    return path
