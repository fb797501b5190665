"""Places of files: what URIs mean, and under which URL a file is asked for."""

from __future__ import annotations

import pytest

from scripta_models.errors import WrongUsage
from scripta_models.places import mirrored, parse, shown, web_url

from .conftest import COMMIT

pytestmark = pytest.mark.unit

MIRROR = "https://mirror.local/models/"


@pytest.mark.parametrize(
    ("uri", "file", "url"),
    [
        (f"hf://acme/m@{COMMIT}", "a.bin", f"https://huggingface.co/acme/m/resolve/{COMMIT}/a.bin"),
        ("hf://acme/m@v1/sub", "a b.bin", "https://huggingface.co/acme/m/resolve/v1/sub/a%20b.bin"),
        (
            "hf://acme/m@refs%2Fpr%2F1",
            "a",
            "https://huggingface.co/acme/m/resolve/refs%2Fpr%2F1/a",
        ),
        ("https://host:8443/folder/", "a.bin", "https://host:8443/folder/a.bin"),
        ("http://host", "a.bin", "http://host/a.bin"),
    ],
)
def test_file_of_a_source_has_a_url(uri: str, file: str, url: str) -> None:
    assert web_url(parse(uri).inside(file)) == url


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        (f"hf://acme/m@{COMMIT}/a.bin", f"{MIRROR}acme/m/resolve/{COMMIT}/a.bin"),
        ("https://user:pass@host:8443/folder/a.tar", f"{MIRROR}host:8443/folder/a.tar"),
    ],
)
def test_mirror_stands_in_for_every_source(uri: str, url: str) -> None:
    assert web_url(mirrored(parse(uri), MIRROR)) == url


def test_mirror_may_be_a_bucket_or_a_folder_and_leaves_local_places_alone() -> None:
    place = parse(f"hf://acme/m@{COMMIT}/a.bin")
    assert str(mirrored(place, "s3://mirror")) == f"s3://mirror/acme/m/resolve/{COMMIT}/a.bin"
    assert str(mirrored(place, "/mnt/hub")) == f"/mnt/hub/acme/m/resolve/{COMMIT}/a.bin"
    for uri in ("s3://bucket/a.bin", "/srv/a.bin", "package:carrier/a.bin"):
        assert mirrored(parse(uri), MIRROR) == parse(uri)


@pytest.mark.parametrize(
    ("uri", "label"),
    [
        (f"hf://acme/Model-Large@{COMMIT}", "model-large"),
        ("https://h/a/model-1.2.tar.bz2", "model-1.2"),
        ("s3://bucket/models/mine/", "mine"),
        ("/srv/models/mine", "mine"),
    ],
)
def test_source_gives_a_model_its_name(uri: str, label: str) -> None:
    assert parse(uri).label == label


def test_commit_is_told_from_a_branch() -> None:
    assert parse(f"hf://acme/m@{COMMIT}").is_commit
    assert not parse("hf://acme/m@main").is_commit


@pytest.mark.parametrize(
    "uri",
    [
        "ftp://host/a",
        "hf://acme/m",
        "hf://acme@main",
        "https:///a",
        "https://host/../a",
        "hf://a/b@c/../d",
        "s3:///key",
        "package:no-module/a",
        "https://host:0/a",
        "https://host:port/a",
    ],
)
def test_what_is_no_source_is_refused(uri: str) -> None:
    with pytest.raises(WrongUsage):
        parse(uri)


def test_messages_show_no_secret() -> None:
    """Guards passwords and signatures in logs."""
    uri = "https://user:pass@host/a.bin?X-Signature=secret"
    for text in (str(parse(uri)), shown(uri)):
        assert "pass" not in text
        assert "secret" not in text
