"""The catalogue: every model in it is pinned, has a licence and names languages that exist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from packaging.licenses import canonicalize_license_expression

from scripta_models.catalogue import Catalogue, Entry, read_catalogue
from scripta_models.errors import UnknownModel, WrongUsage
from scripta_models.places import Scheme, parse

pytestmark = pytest.mark.unit

CATALOGUE = read_catalogue()
FIRST = CATALOGUE.models[1].model_dump(mode="json", exclude_defaults=True)


def made(**changes: object) -> str:
    return json.dumps({"models": [FIRST | changes]})


@pytest.mark.parametrize("entry", CATALOGUE.models, ids=CATALOGUE.names)
def test_model_is_pinned_and_has_a_licence(entry: Entry) -> None:
    """Guards a model of which tomorrow's files are others, or may not be used."""
    assert all(file.sha256 and file.size for file in entry.files)
    assert canonicalize_license_expression(entry.licence) == entry.licence
    for source in entry.sources:
        place = parse(source.uri)
        assert place.scheme in (Scheme.HUB, Scheme.PACKAGE) or source.archive, source.uri
        assert str(place) == source.uri


@pytest.mark.parametrize("entry", CATALOGUE.models, ids=CATALOGUE.names)
def test_languages_are_known_to_whisper_which_knows_all_of_ours(entry: Entry) -> None:
    """Guards a tag that no client sends, such as ``jw`` for Javanese."""
    tokenizer = pytest.importorskip("faster_whisper.tokenizer")
    known = {*tokenizer._LANGUAGE_CODES, "jv", "mt"} - {"jw"}
    assert set(entry.languages) <= known
    assert list(entry.languages) == sorted(set(entry.languages))


@pytest.mark.parametrize("entry", CATALOGUE.models, ids=CATALOGUE.names)
def test_files_are_those_that_the_engine_looks_for(entry: Entry) -> None:
    paths = [file.path for file in entry.files]
    assert len(set(paths)) == len(paths)
    if entry.engine == "whisper":
        assert {"model.bin", "config.json", "tokenizer.json"} <= set(paths)
    if entry.engine == "sherpa":
        kinds = pytest.importorskip("scripta_transcriber.engines.sherpa_models").KINDS
        assert entry.kind in kinds
        assert "tokens.txt" in paths
    assert bool(entry.kind) == (entry.engine == "sherpa")


def test_models_that_packages_carry_are_named() -> None:
    """Guards the two that need no hub."""
    for name in ("moonshine-tiny-en", "whisper-base"):
        assert parse(CATALOGUE.entry(name).sources[0].uri).scheme is Scheme.PACKAGE


def test_unknown_model_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(UnknownModel, match=r"'whisper-tiny'.*known are moonshine-tiny-en,"):
        CATALOGUE.entry("whisper-tiny")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('{"models": [', "EOF|end of"),
        (made(colour="red"), "Extra inputs"),
        (made(name="Large Model"), "pattern"),
        (made(languages=["English"]), "pattern"),
        (made(languages=[]), "at least 1"),
        (made(files=[{"path": "../etc/passwd"}]), "pattern"),
        (made(files=[{"path": ".hidden"}]), "pattern"),
        (made(files=[{"path": "a", "sha256": "abc"}]), "pattern"),
        (made(files=[{"path": "a"}, {"path": "a"}]), "names a file twice"),
        (made(sources=[{"uri": "hf://acme/m@main"}]), "names no commit"),
        (made(sources=[{"uri": "hf://acme/m"}]), "needs a repository and its revision"),
        (made(sources=[{"uri": "package:m/data"}]), "says not which packages"),
        (made(sources=[{"uri": "package:m/data", "packages": ["m"]}]), "needs a version"),
        (made(sources=[{"uri": "https://h/a.tar", "archive": {}}]), "without a checksum"),
        (made(sources=[{"uri": f"hf://a/b@{'0' * 40}", "parts": {"x": ["y"]}}]), "not in the list"),
        (json.dumps({"models": [FIRST, FIRST]}), "two models are called"),
    ],
)
def test_catalogue_that_makes_no_sense_is_refused(tmp_path: Path, data: str, words: str) -> None:
    path = tmp_path / "catalogue.json"
    path.write_text(data)
    with pytest.raises(WrongUsage, match=words):
        read_catalogue(path)


def test_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"nowhere\.json can not be read"):
        read_catalogue(tmp_path / "nowhere.json")


def test_schema_can_be_written_out() -> None:
    """Guards the schema that editors and other programs may read."""
    assert Catalogue.model_json_schema()["properties"]["models"]["type"] == "array"
