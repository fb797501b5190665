"""The command line of ``scripta-models``, and of ``scripta models``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

EXIT_CODES: Final = """\
exit codes:
  0    it is done, or the model was there already
  1    another process has been fetching the model for too long
  2    wrong usage, no such model in the catalogue, or a file without a checksum
  3    the source can not be reached, has no such file, or wants a token
  4    a file is not what its checksum says
  5    the disk is full, or can not be written
  130  interrupted
"""
_WAIT_SECONDS: Final = 3600.0


def add_commands(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Adds what may be said after ``models``, and returns the parser of ``list``."""
    parser.add_argument(
        "--catalogue", type=Path, metavar="FILE", help="another catalogue than the one built in"
    )
    commands = parser.add_subparsers(dest="models_command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="list the models that are known")
    _add_json(listing)
    show = commands.add_parser("show", help="show all that is known of a model")
    show.add_argument("name", metavar="NAME")
    _add_json(show)
    _add_folder(show)
    _add_fetch(
        commands.add_parser(
            "fetch",
            help="fetch a model, and check each of its files",
            description="Fetches a model into DIR/NAME, and prints that folder. What is there "
            "already is checked and not fetched again; what broke off goes on where it broke.",
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    pin = commands.add_parser(
        "pin", help="print the checksums of a model that was fetched, for --manifest"
    )
    pin.add_argument("name", metavar="NAME")
    _add_folder(pin)
    return listing


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", default="", help="of the catalogue, or one of your own"
    )
    _add_folder(parser)
    parser.add_argument(
        "--source",
        metavar="URI",
        default="",
        help="where it is: hf://owner/repository@revision, https://…, s3://bucket/folder, "
        "file:///folder or a path; a file, a folder or a tar archive",
    )
    parser.add_argument(
        "--sha256",
        action="append",
        default=[],
        metavar="[FILE=]HEX",
        help="checksum of a file, or of the only one or the archive; may be repeated",
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="checksums, as sha256sum writes them"
    )
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="FILE",
        help="a file of the source without a checksum; may be repeated",
    )
    parser.add_argument(
        "--trust-on-first-use",
        action="store_true",
        help="take files without a checksum as they are, and write down theirs",
    )
    parser.add_argument(
        "--mirror",
        metavar="URL",
        default="",
        help="what stands in for hubs and the web, under the hub's paths: https://…, s3://… or a "
        "folder (default: $SCRIPTA_MODELS_MIRROR)",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=_WAIT_SECONDS,
        metavar="SECONDS",
        help="for how long to wait for another process that fetches the same model "
        f"(default: {_WAIT_SECONDS:.0f})",
    )
    parser.add_argument(
        "--message-to",
        type=Path,
        metavar="FILE",
        help="write the error there, too, such as to /dev/termination-log in Kubernetes",
    )


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="folder of all models (default: $MODEL_DIR, else ~/.cache/scripta/models)",
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
