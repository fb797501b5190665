"""What a command line asks for, with the catalogue and without."""

from __future__ import annotations

import pytest

from scripta_models.catalogue import Entry, File, Source
from scripta_models.errors import WrongUsage
from scripta_models.sums import Sums, read_sums, written
from scripta_models.wanted import Asked, wanted

from .conftest import COMMIT

pytestmark = pytest.mark.unit

A, B = "a" * 64, "b" * 64
ENTRY = Entry(
    name="m",
    title="A model",
    engine="sherpa",
    kind="transducer",
    licence="MIT",
    languages=("de", "en"),
    sources=(Source(uri=f"hf://acme/m@{COMMIT}"),),
    files=(File(path="model.bin", sha256=A, size=5), File(path="tokens.txt")),
)


def sums_of(wish) -> dict[str, str | None]:
    return {file.path: file.sha256 for file in wish.files}


def test_model_of_the_catalogue_is_as_that_says() -> None:
    wish = wanted(Asked("m"), ENTRY)
    assert (wish.name, wish.sources) == ("m", ENTRY.sources)
    assert wish.unpinned == ["tokens.txt"]
    assert wish.card == {"kind": "transducer", "languages": ["de", "en"]}


def test_checksums_of_the_command_line_come_first() -> None:
    wish = wanted(Asked("m", sha256=[f"tokens.txt={B.upper()}", f"model.bin={B}"]), ENTRY)
    assert sums_of(wish) == {"model.bin": B, "tokens.txt": B}
    # The size was that of the other file.
    assert wish.files[0].size is None


def test_model_of_the_catalogue_can_be_elsewhere() -> None:
    wish = wanted(Asked("m", "s3://models/m", sums=Sums({"tokens.txt": B})), ENTRY)
    assert [source.uri for source in wish.sources] == ["s3://models/m"]
    assert sums_of(wish) == {"model.bin": A, "tokens.txt": B}


def test_archive_is_held_by_its_own_checksum() -> None:
    wish = wanted(Asked("", "https://h/my-model.tar.bz2", [A]), None)
    assert (wish.name, wish.files, wish.archive, wish.unpinned) == ("my-model", (), A, [])


def test_archive_without_a_checksum_is_not_pinned() -> None:
    assert wanted(Asked("", "https://h/m.tar"), None).unpinned == ["the archive"]


def test_single_file_needs_only_its_checksum() -> None:
    wish = wanted(Asked("mine", "https://h/x/model.onnx", [A]), None)
    assert sums_of(wish) == {"model.onnx": A}
    assert wish.sources[0].parts == {"model.onnx": ("https://h/x/model.onnx",)}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked("m"), "needs --source"),
        (Asked("m", f"hf://acme/m@{COMMIT}"), "which files has"),
        (Asked("m", f"hf://acme/m@{COMMIT}", ["abc"]), "64 hexadecimal digits"),
        (Asked("m", f"hf://acme/m@{COMMIT}", [f"../x={A}"]), "which files has"),
        (Asked("My Model", "https://h/a.bin", [A]), "can not be the name"),
        (Asked("m", "what://h", [A]), "is not a source"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: Asked, words: str) -> None:
    with pytest.raises(WrongUsage, match=words):
        wanted(asked, None)


@pytest.mark.parametrize(
    ("sha256", "words"), [([A], "has 2 files"), ([f"x.bin={A}"], "has no file x.bin")]
)
def test_checksum_of_no_file_is_refused(sha256: list[str], words: str) -> None:
    with pytest.raises(WrongUsage, match=words):
        wanted(Asked("m", sha256=sha256), ENTRY)


def test_list_of_checksums_is_as_sha256sum_writes_it() -> None:
    sums = read_sums(f"# source: x\n{A}  model.bin\n{B.upper()} *./sub/tokens.txt\n\n", "SUMS")
    assert sums.files == {"model.bin": A, "sub/tokens.txt": B}
    assert read_sums(written(Sums({"x": A}, B), "here"), "SUMS") == Sums({"x": A}, B)


@pytest.mark.parametrize("line", ["abc  model.bin", f"{A} model.bin x", f"{A}  ../up", f"{A}  /x"])
def test_list_that_is_none_is_named_with_its_line(line: str) -> None:
    text = f"{B}  first\n{line}\n"
    if line.endswith("model.bin x"):
        text = text.replace("  first", " first")
    with pytest.raises(WrongUsage, match=r"SUMS, line \d"):
        read_sums(text, "SUMS")
