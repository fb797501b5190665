"""The command ``scripta-models``: lists, shows and fetches models.

Standard output carries results and nothing else. Every failure is one line on standard error and
an exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, NoReturn

from scripta_models.arguments import EXIT_CODES, add_commands
from scripta_models.catalogue import Catalogue, read_catalogue
from scripta_models.download import Download
from scripta_models.errors import ModelsError, UnknownModel, WrongUsage
from scripta_models.fetch import Fetch
from scripta_models.folder import ModelFolder, checksum
from scripta_models.progress import Progress
from scripta_models.settings import Settings
from scripta_models.sums import NAME as SUMS
from scripta_models.sums import Sums, read_sums, written
from scripta_models.table import described, listed
from scripta_models.wanted import CARD, Asked, wanted
from scripta_models.web import Web

_INTERRUPTED: Final = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    parser = _Parser(
        prog="scripta-models",
        description="Lists models, and fetches them: each file is held against its checksum.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("scripta-models"))
    add_commands(parser)
    try:
        return run(parser.parse_args(argv), parser.prog)
    except BrokenPipeError:
        # Whoever reads the results has enough. What is left in the buffer must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run(given: argparse.Namespace, program: str) -> int:
    """Runs what a command line asks for, and returns the exit code.

    Args:
        given: As the parser with ``add_commands`` returns it.
        program: Name of the command, for messages.

    Raises:
        BrokenPipeError: Nobody reads the results any more.
    """
    try:
        result = _output(given, Settings.read())
    except KeyboardInterrupt:
        return _INTERRUPTED
    except ModelsError as error:
        return _fail(given, program, str(error), error.exit_code)
    except OSError as error:
        return _fail(given, program, str(error), ModelsError.exit_code)
    sys.stdout.write(result)
    sys.stdout.flush()
    return 0


def _fail(given: argparse.Namespace, program: str, words: str, code: int) -> int:
    print(f"{program}: {words}", file=sys.stderr)
    path: Path | None = getattr(given, "message_to", None)
    if path is not None:
        # Seen alone it has to name the model. A failure to write it must not hide the error.
        named = (
            words if not given.name or words.startswith(given.name) else f"{given.name}: {words}"
        )
        with suppress(OSError):
            path.write_text(f"{named}\n")
    return code


def _output(given: argparse.Namespace, settings: Settings) -> str:
    catalogue = read_catalogue(given.catalogue)
    match given.models_command:
        case "list":
            return catalogue.model_dump_json(indent=2) + "\n" if given.json else listed(catalogue)
        case "show":
            return _show(given, catalogue, given.to or settings.folder)
        case "pin":
            return _pin(ModelFolder(given.to or settings.folder, given.name))
    return _fetch(given, catalogue, settings)


def _show(given: argparse.Namespace, catalogue: Catalogue, parent: Path) -> str:
    entry = catalogue.entry(given.name)
    if given.json:
        return entry.model_dump_json(indent=2) + "\n"
    folder = parent / entry.name
    return described(entry, str(folder) if folder.is_dir() else "")


def _pin(folder: ModelFolder) -> str:
    if not folder.path.is_dir():
        raise WrongUsage(f"{folder.path} does not exist: fetch the model first")
    paths = {
        str(path.relative_to(folder.path)): path
        for path in folder.path.rglob("*")
        if path.is_file() and path.name not in (SUMS, CARD) and not path.name.startswith(".")
    }
    return written(Sums({name: checksum(path) for name, path in paths.items()}))


def _fetch(given: argparse.Namespace, catalogue: Catalogue, settings: Settings) -> str:
    asked = Asked(
        name=given.name,
        source=given.source,
        sha256=given.sha256,
        sums=_manifest(given.manifest),
        files=given.file,
        trusted=given.trust_on_first_use,
    )
    if not asked.name and not asked.source:
        raise WrongUsage(f"which model? Known are {', '.join(catalogue.names)}")
    entry = catalogue.find(asked.name)
    if entry is None and not asked.source:
        raise UnknownModel(asked.name, catalogue.names)
    model = wanted(asked, entry)
    if given.mirror:
        settings = replace(settings, mirror=given.mirror)
    progress = Progress(sys.stderr, model.name)
    web = Web(settings)
    try:
        fetch = Fetch(Download(model.name, web, progress), progress, given.wait, settings.mirror)
        return f"{fetch.run(model, given.to or settings.folder)}\n"
    finally:
        progress.close()
        web.close()


def _manifest(path: Path | None) -> Sums:
    if path is None:
        return Sums()
    try:
        return read_sums(path.read_text(), str(path))
    except OSError as error:
        raise WrongUsage(f"{path} can not be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongUsage(f"{path} is no list of checksums") from error
