"""What is to be fetched: the files of a model, and where they are. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from scripta_models.catalogue import Archive, Entry, File, Source
from scripta_models.errors import WrongUsage
from scripta_models.places import Place, parse
from scripta_models.sums import Sums, is_path_inside

CARD: Final = "scripta.json"
"""What the engine ``sherpa`` reads beside a model: its kind and its languages."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model that is to be fetched.

    Attributes:
        name: Its name, and that of its folder.
        files: Its files; none for all that is in an archive.
        sources: Where it is, the preferred source first.
        card: What is written to ``scripta.json``; empty for nothing.
        trusted: Whether a file without a checksum is taken as it is.
    """

    name: str
    files: tuple[File, ...]
    sources: tuple[Source, ...]
    card: Mapping[str, Any] = field(default_factory=dict)
    trusted: bool = False

    @property
    def unpinned(self) -> list[str]:
        """Paths of the files that have no checksum."""
        if not self.files:
            archive = self.sources[0].archive
            return [] if archive and archive.sha256 else ["the archive"]
        return [file.path for file in self.files if file.sha256 is None]

    @property
    def archive(self) -> str:
        """Checksum of the archive whose files these are; empty if they are known one by one."""
        archive = self.sources[0].archive
        return (archive.sha256 or "") if archive and not self.files else ""

    def held_by(self, sums: Sums) -> Wanted:
        """Returns this model with the checksums that were found when it was fetched first."""
        if not self.files:
            known = tuple(File(path=path, sha256=each) for path, each in sums.files.items())
            return replace(self, files=known)
        files = (
            file if file.sha256 else file.model_copy(update={"sha256": sums.files.get(file.path)})
            for file in self.files
        )
        return replace(self, files=tuple(files))

    def card_text(self) -> str:
        """Returns the content of the card; empty for none."""
        return json.dumps(self.card) + "\n" if self.card else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says about a model.

    Attributes:
        name: Its name; empty to call it as its source does.
        source: URI of where it is; empty for the catalogue's.
        sha256: Checksums: ``HEX`` of the only file or archive, or ``FILE=HEX``.
        sums: Checksums from a manifest.
        files: Paths of files whose checksums are not known.
        trusted: Whether a file without a checksum is taken as it is.
    """

    name: str = ""
    source: str = ""
    sha256: Sequence[str] = ()
    sums: Sums = field(default_factory=Sums)
    files: Sequence[str] = ()
    trusted: bool = False


def wanted(asked: Asked, entry: Entry | None) -> Wanted:
    """Returns what a command line asks for.

    Args:
        asked: The command line.
        entry: The model of that name in the catalogue, if there is one.

    Raises:
        WrongUsage: It makes no sense.
    """
    if entry is not None:
        found = _from_catalogue(asked, entry)
    elif asked.source:
        found = _from_source(asked, parse(asked.source))
    else:
        raise WrongUsage("a model that is not in the catalogue needs --source")
    if not _NAME.fullmatch(found.name):
        raise WrongUsage(f"{found.name!r} can not be the name of a model: give it one as NAME")
    return found


def _from_catalogue(asked: Asked, entry: Entry) -> Wanted:
    whole, known = _checksums(asked)
    sources = entry.sources
    if asked.source:
        place = parse(asked.source)
        archive = Archive(sha256=whole or None) if place.is_archive else None
        sources = (Source(uri=asked.source, archive=archive),)
        whole = "" if archive else whole
    if whole and len(entry.files) == 1:
        known[entry.files[0].path] = whole
    elif whole:
        raise WrongUsage(f"{entry.name} has {len(entry.files)} files: say --sha256 FILE={whole}")
    listed = [file.path for file in entry.files]
    if foreign := sorted(set(known) - set(listed)):
        raise WrongUsage(f"{entry.name} has no file {', '.join(foreign)}: it has {listed}")
    files = tuple(
        File(path=file.path, sha256=known[file.path]) if file.path in known else file
        for file in entry.files
    )
    card = {"kind": entry.kind, "languages": list(entry.languages)} if entry.kind else {}
    return Wanted(entry.name, files, sources, card, asked.trusted)


def _from_source(asked: Asked, place: Place) -> Wanted:
    whole, known = _checksums(asked)
    archive = None
    parts: dict[str, tuple[str, ...]] = {}
    if place.is_archive:
        archive = Archive(sha256=whole or None)
    elif whole or (asked.trusted and not asked.files and not known):
        single = place.path.rpartition("/")[2]
        known, parts = {single: whole}, {single: (asked.source,)}
    named = {**dict.fromkeys(asked.files, ""), **known}
    if not all(map(is_path_inside, named)) or not (named or archive):
        raise WrongUsage(
            f"which files has {place}? Name each with its checksum: --sha256 FILE=HEX, or "
            "--manifest FILE, a list as sha256sum writes it"
        )
    files = tuple(File(path=path, sha256=each or None) for path, each in named.items())
    source = Source(uri=asked.source, archive=archive, parts=parts)
    return Wanted(asked.name or place.label, files, (source,), trusted=asked.trusted)


def _checksums(asked: Asked) -> tuple[str, dict[str, str]]:
    """Returns the checksum of the only file or archive, empty for none, and those of files."""
    whole, files = asked.sums.archive, dict(asked.sums.files)
    for text in asked.sha256:
        path, _, checksum = text.rpartition("=")
        if not _HEX.fullmatch(checksum):
            raise WrongUsage(f"--sha256 {text}: a checksum has 64 hexadecimal digits")
        if path:
            files[path] = checksum.lower()
        else:
            whole = checksum.lower()
    return whole, files
