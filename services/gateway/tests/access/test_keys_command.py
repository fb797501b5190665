"""What ``scripta keys`` prints is what a gateway reads."""

from __future__ import annotations

import io
import re
import time

import pytest

from scripta_client.cli import main
from scripta_gateway.access.caller import Quota, Scope
from scripta_gateway.access.keyfile import KeyFile, parse
from scripta_gateway.access.keyring import Keyring

pytestmark = pytest.mark.unit


def read(entries: str, under: str = "keys") -> KeyFile:
    return parse(f"{under}:\n{entries}".encode())


def key_in(text: str) -> str:
    found = re.search(r"scripta_\S{43}", text)
    assert found is not None
    return found[0]


def test_key_that_is_made_is_let_in(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--id", "web", "--tenant", "acme", "--scope", "usage", "--scope", "tokens"]
    limits = ["--limit", "sessions=3", "--limit", "audio_seconds_a_day=7.5", "--limit", "share=1"]
    others = ["--model", "moonshine", "--origin", "https://app.example", "--expires", "1d"]
    assert main(["keys", "create", *arguments, *limits, *others]) == 0
    printed = capsys.readouterr()
    caller = Keyring(read(printed.out)).find(key_in(printed.err), time.time())
    assert caller is not None
    assert (caller.key, caller.tenant) == ("web", "acme")
    assert caller.scopes == {Scope.USAGE, Scope.TOKENS}
    assert caller.own == Quota(sessions=3, audio_seconds_a_day=7.5, share=1)
    assert (caller.models, caller.origins) == (("moonshine",), ("https://app.example",))
    assert Keyring(read(printed.out)).find(key_in(printed.err), time.time() + 2 * 86400) is None


def test_entries_can_be_put_one_behind_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("1e3", "no", "null", "2027-01-01"):
        main(["keys", "create", "--id", name, "--tenant", name])
    entries = read(capsys.readouterr().out).keys
    assert [entry.id for entry in entries] == ["1e3", "no", "null", "2027-01-01"]


def test_key_is_on_standard_error_alone_and_its_hash_on_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["keys", "create", "--id", "a", "--tenant", "b"])
    printed = capsys.readouterr()
    assert key_in(printed.err) not in printed.out
    assert read(printed.out).keys[0].scopes == (Scope.TRANSCRIBE,)


def test_key_that_clients_have_already_is_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setattr("sys.stdin", io.StringIO(own + "\n"))
    assert main(["keys", "create", "--id", "a", "--tenant", "b", "--stdin"]) == 0
    printed = capsys.readouterr()
    assert own not in printed.out + printed.err
    assert Keyring(read(printed.out)).find(own, 0) is not None


@pytest.mark.parametrize("given", ["", "short", "a key with spaces in it", "ä" * 20])
def test_what_is_no_key_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert main(["keys", "create", "--id", "a", "--tenant", "b", "--stdin"]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert not given or given not in printed.err


def test_secret_for_tokens_is_one_that_the_gateway_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["keys", "signing", "--id", "first"]) == 0
    (entry,) = read(capsys.readouterr().out, "signing").signing
    assert entry.id == "first"


@pytest.mark.parametrize(
    "bad",
    [
        ["--id", "a b", "--tenant", "c"],
        ["--id", "a", "--tenant", "c}"],
        ["--id", "a", "--tenant", "b", "--scope", "all"],
        ["--id", "a", "--tenant", "b", "--limit", "share=2"],
        ["--id", "a", "--tenant", "b", "--limit", "share=0"],
        ["--id", "a", "--tenant", "b", "--limit", "share=nan"],
        ["--id", "a", "--tenant", "b", "--limit", "sessions=-1"],
        ["--id", "a", "--tenant", "b", "--limit", "sesions=1"],
        ["--id", "a", "--tenant", "b", "--expires", "soon"],
        ["--tenant", "b"],
    ],
)
def test_what_a_gateway_would_refuse_is_refused(
    capsys: pytest.CaptureFixture[str], bad: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "create", *bad])
    assert ended.value.code == 2
    assert not capsys.readouterr().out
