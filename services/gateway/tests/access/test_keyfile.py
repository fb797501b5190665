"""The key file: what stands in it, and how its operator hears what is wrong with it."""

from __future__ import annotations

import json
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scripta_gateway.access.caller import Caller, Quota, Scope
from scripta_gateway.access.keyfile import BadKeyFile, KeyFile, digest, parse
from scripta_gateway.access.keyring import Keyring, WatchedKeyring

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0
KEY = "scripta_" + secrets.token_urlsafe(32)


def entry(**fields: Any) -> dict[str, Any]:
    return {"id": "web", "tenant": "acme", "hash": digest(KEY), **fields}


def file(*entries: dict[str, Any], **fields: Any) -> KeyFile:
    return parse(json.dumps({"keys": entries, **fields}).encode())


def test_key_is_known_with_all_that_its_entry_says() -> None:
    found = file(
        entry(
            scopes=["transcribe", "usage"],
            models=["moonshine"],
            origins=["https://app.example"],
            limits={"sessions": 3},
        ),
        tenants={"acme": {"limits": {"audio_seconds_a_day": 60.5, "share": 0.5}}},
    )
    assert Keyring(found).find(KEY, NOW) == Caller(
        key="web",
        tenant="acme",
        scopes=frozenset({Scope.TRANSCRIBE, Scope.USAGE}),
        models=("moonshine",),
        origins=("https://app.example",),
        own=Quota(sessions=3),
        shared=Quota(audio_seconds_a_day=60.5, share=0.5),
    )


def test_yaml_and_json_are_the_same() -> None:
    fields = {"keys": [entry(expires="2027-01-01T00:00:00Z")]}
    assert parse(yaml.safe_dump(fields).encode()) == parse(json.dumps(fields).encode())


def test_empty_file_lets_nobody_in() -> None:
    for text in (b"", b"\n", b"keys: []", b"{}"):
        assert Keyring(parse(text)).find(KEY, NOW) is None


@pytest.mark.parametrize(("seconds", "known"), [(-1, False), (0, False), (1, True)])
def test_key_works_until_it_expires(seconds: float, known: bool) -> None:
    expires = datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)
    ring = Keyring(file(entry(expires=expires.isoformat())))
    assert (ring.find(KEY, NOW) is not None) is known
    assert (ring.by_id("web", NOW) is not None) is known


@given(other=st.text())
def test_no_other_text_is_a_key(other: str) -> None:
    if other != KEY:
        assert Keyring(file(entry())).find(other.encode("utf-8", "replace").decode(), NOW) is None


BAD: list[tuple[dict[str, Any], str]] = [
    (entry(hash=KEY), r"\$\.keys\[0\]\.hash"),
    (entry(hash="sha256:abc"), r"\$\.keys\[0\]\.hash"),
    (entry(hash=digest(KEY) + "\n"), r"\$\.keys\[0\]\.hash"),
    (entry(id="a b"), r"\$\.keys\[0\]\.id"),
    (entry(id=""), r"\$\.keys\[0\]\.id"),
    (entry(tenant="a}b"), r"\$\.keys\[0\]\.tenant"),
    (entry(tenant="a\n"), r"\$\.keys\[0\]\.tenant"),
    (entry(scopes=["everything"]), r"\$\.keys\[0\]\.scopes"),
    (entry(limits={"sesions": 3}), "sesions"),
    (entry(limits={"sessions": -1}), r"limits\.sessions"),
    (entry(limits={"share": 0}), r"limits\.share"),
    (entry(expires="2027-01-01T00:00:00"), r"\$\.keys\[0\]\.expires"),
    (entry(origins=["app.example/page"]), "at the key web"),
    (entry(secret="x"), "secret"),
    ({"id": "web", "tenant": "acme"}, "hash"),
]


@pytest.mark.parametrize(("bad", "said"), BAD, ids=[said for _, said in BAD])
def test_bad_entry_is_named_and_nothing_of_a_key_is_said(bad: dict[str, Any], said: str) -> None:
    with pytest.raises(BadKeyFile) as raised:
        file(bad)
    assert re.search(said, str(raised.value))
    assert KEY not in str(raised.value)
    assert digest(KEY) not in str(raised.value)


def test_two_entries_can_not_be_the_same() -> None:
    with pytest.raises(BadKeyFile, match="id: web"):
        file(entry(), entry(hash=digest("another")))
    with pytest.raises(BadKeyFile, match="same hash"):
        file(entry(), entry(id="other"))


@pytest.mark.parametrize(
    "text", [b"keys: [", b"\0", b"\xc3(", b"- 1", b"keys: {a: 1}", b"[" * 10_000, b"!!python/x 1"]
)
def test_what_is_no_key_file_is_refused(text: bytes) -> None:
    with pytest.raises(BadKeyFile):
        parse(text)


def test_secrets_are_not_shown() -> None:
    secret = secrets.token_urlsafe(32)
    assert secret not in repr(file(signing=[{"id": "a", "secret": secret}]))


# The file on its disk.


def write(path: Path, *entries: dict[str, Any]) -> None:
    path.write_text(json.dumps({"keys": entries}), "utf-8")


def test_file_that_changes_is_read_again(tmp_path: Path) -> None:
    """Guards a mounted Secret: its file is a link that is exchanged."""
    first, second, shown = tmp_path / "1", tmp_path / "2", tmp_path / "keys.yaml"
    write(first, entry())
    write(second, entry(id="other", hash=digest("another-key")))
    shown.symlink_to(first)
    watched = WatchedKeyring(shown)
    assert watched.now.find(KEY, NOW) is not None
    (tmp_path / "new").symlink_to(second)
    (tmp_path / "new").replace(shown)
    watched.look()
    assert watched.now.find(KEY, NOW) is None
    assert watched.now.find("another-key", NOW) is not None


@pytest.mark.parametrize("bad", [b"keys: [", b"keys: [{}]", None], ids=["text", "entry", "gone"])
def test_bad_file_leaves_the_former_keys(tmp_path: Path, bad: bytes | None) -> None:
    path = tmp_path / "keys.yaml"
    write(path, entry())
    watched = WatchedKeyring(path)
    path.unlink() if bad is None else path.write_bytes(bad)
    watched.look()
    assert watched.now.find(KEY, NOW) is not None


def test_file_that_is_not_there_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match="No such file"):
        WatchedKeyring(tmp_path / "missing")
