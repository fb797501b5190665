"""Downloads over real sockets: what breaks is taken up, and what is wrong does not stay."""

from __future__ import annotations

import http.server
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from scripta_models.catalogue import File
from scripta_models.errors import (
    NotFound,
    Refused,
    Unpinned,
    Unreachable,
    WrongContent,
)
from scripta_models.sums import read_sums
from scripta_models.wanted import Asked, wanted

from .conftest import COMMIT, Fetching, Server, hidden, model, send, sha256

pytestmark = pytest.mark.asgi

Handler = http.server.BaseHTTPRequestHandler


def break_after(number: int, server: Server):
    """Breaks the connection off in the middle of the body."""

    def act(handler: Handler, content: bytes) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("ETag", server.tag(content))
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : start + number])

    return act


def status(code: int, **headers: str):
    def act(handler: Handler, _: bytes) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return act


def test_model_appears_with_its_files_and_their_checksums(
    fetching: Fetching, server: Server
) -> None:
    folder = fetching(model(server))
    assert (folder / "model.bin").read_bytes() == server.files["/m/model.bin"]
    listed = read_sums((folder / "SHA256SUMS").read_text(), "")
    assert listed.files == {
        name: sha256(server.files[f"/m/{name}"]) for name in ("model.bin", "tokens.txt")
    }
    assert sorted(path.name for path in folder.iterdir()) == [
        "SHA256SUMS",
        "model.bin",
        "tokens.txt",
    ]
    assert hidden(folder.parent) == []


def test_what_is_there_is_not_fetched_again(fetching: Fetching, server: Server) -> None:
    """Guards a start without a network: the model is there, so nobody is asked."""
    wish = model(server)
    fetching(wish)
    server.seen.clear()
    (fetching.folder / ".m.lock").unlink()
    assert fetching(wish) == fetching.folder / "m"
    assert server.seen == []
    assert "has all 2 files" in fetching.log.getvalue()
    # Nothing is written either: the volume may be read-only.
    assert [path.name for path in fetching.folder.iterdir()] == ["m"]


def test_broken_download_goes_on_where_it_broke(fetching: Fetching, server: Server) -> None:
    wish = model(server)
    server.acts += [break_after(200_000, server), break_after(100_000, server)]
    folder = fetching(wish)
    assert (folder / "model.bin").read_bytes() == server.files["/m/model.bin"]
    asked = [seen.headers.get("Range") for seen in server.seen if seen.path == "/m/model.bin"]
    assert asked == [None, "bytes=200000-", "bytes=300000-"]
    assert server.seen[1].headers["If-Range"] == server.tag(server.files["/m/model.bin"])


def test_file_that_has_changed_meanwhile_comes_whole(fetching: Fetching, server: Server) -> None:
    """Guards a file of two halves: the server's tag says that it has another one now."""
    wish = model(server)
    server.acts.append(break_after(200_000, server))
    old = server.files["/m/model.bin"]

    def change(handler: Handler, content: bytes) -> None:
        server.files["/m/model.bin"] = new
        send(handler, server, new)

    new = bytes(reversed(old))
    server.acts.append(change)
    files = (File(path="model.bin", sha256=sha256(new)), wish.files[1])
    folder = fetching(replace(wish, files=files))
    assert (folder / "model.bin").read_bytes() == new


def test_server_that_ignores_ranges_sends_all_again(fetching: Fetching, server: Server) -> None:
    wish = model(server)
    server.ranges = False
    server.acts.append(break_after(200_000, server))
    folder = fetching(wish)
    assert (folder / "model.bin").read_bytes() == server.files["/m/model.bin"]


def test_part_that_is_longer_than_the_file_is_thrown_away(
    fetching: Fetching, server: Server
) -> None:
    wish = model(server)
    partial = fetching.folder / ".m.partial"
    partial.mkdir(parents=True)
    (partial / "model.bin.part").write_bytes(bytes(700_000))
    folder = fetching(wish)
    assert (folder / "model.bin").read_bytes() == server.files["/m/model.bin"]


def test_faults_that_pass_are_tried_again(fetching: Fetching, server: Server) -> None:
    wish = model(server)
    server.acts += [status(503, Retry_After="7"), status(500), status(429)]
    assert fetching(wish).is_dir()
    assert fetching.waits[0] == 7.0
    assert len(fetching.waits) == 3
    assert "answers 503 Service Unavailable; again in 7 s (try 2 of 4)" in fetching.log.getvalue()


def test_nobody_there_is_said_with_what_to_check(fetching: Fetching, server: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/model.bin"
        wish = wanted(Asked("m", url, ["0" * 64]), None)
        with pytest.raises(Unreachable, match=r"given up after 4 tries.*HTTPS_PROXY.*--mirror"):
            fetching(wish)


def test_missing_file_is_named_at_once(fetching: Fetching, server: Server) -> None:
    wish = model(server)
    del server.files["/m/tokens.txt"]
    with pytest.raises(NotFound, match=r"/m/tokens\.txt .*404.*revision"):
        fetching(wish)
    assert len(server.seen) == 2
    assert not (fetching.folder / "m").exists()


@pytest.mark.parametrize("code", [401, 403])
def test_gated_model_says_how_to_give_a_token(
    fetching: Fetching, server: Server, code: int
) -> None:
    fetching.settings = replace(fetching.settings, hub=server.url)
    server.acts.append(status(code))
    wish = wanted(Asked("m", f"hf://acme/m@{COMMIT}", [f"model.bin={'0' * 64}"]), None)
    with pytest.raises(Refused, match=rf"{code}.*accept its terms.*acme/m.*HF_TOKEN"):
        fetching(wish)


def test_token_is_shown_to_the_hub_alone(fetching: Fetching, server: Server) -> None:
    """Guards a token that follows a redirect to somebody else's storage."""
    content = b"x" * 1000
    server.files |= {"/elsewhere": content}
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    server.acts.append(status(302, Location=f"{elsewhere}/elsewhere"))
    fetching.settings = replace(fetching.settings, hub=server.url, token="secret")
    wish = wanted(Asked("m", f"hf://acme/m@{COMMIT}", [f"model.bin={sha256(content)}"]), None)
    fetching(wish)
    assert server.seen[0].path == f"/acme/m/resolve/{COMMIT}/model.bin"
    assert server.seen[0].headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in server.seen[1].headers


def test_wrong_file_is_removed_and_named(fetching: Fetching, server: Server) -> None:
    wish = model(server)
    wrong = b"y" * len(server.files["/m/model.bin"])
    right = server.files["/m/model.bin"]
    server.files["/m/model.bin"] = wrong
    expected = rf"m: model\.bin .*expected sha256 {sha256(right)}, found sha256 {sha256(wrong)}"
    with pytest.raises(WrongContent, match=expected):
        fetching(wish)
    assert not (fetching.folder / "m").exists()
    assert not list((fetching.folder / ".m.partial").glob("model.bin*"))
    server.files["/m/model.bin"] = right
    assert fetching(wish).is_dir()


def test_another_length_is_refused_before_it_is_fetched(fetching: Fetching, server: Server) -> None:
    """Guards a login page in place of a model: it is told from its length and its type."""
    content = b"z" * 1000
    server.files |= {"/m/model.bin": content}

    def login(handler: Handler, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.send_header("Content-Length", "6")
        handler.end_headers()
        handler.wfile.write(b"<html>")

    server.acts.append(login)
    wish = wanted(Asked("m", f"{server.url}/m", [f"model.bin={sha256(content)}"]), None)
    known = File(path="model.bin", sha256=sha256(content), size=1000)
    with pytest.raises(WrongContent, match="expected 1000 bytes, found 6 bytes, a web page"):
        fetching(replace(wish, files=(known,)))
    assert len(server.seen) == 1


def test_endless_answer_is_cut_off(fetching: Fetching, server: Server) -> None:
    """Guards a disk that a broken server would fill: a file has its size and no more."""

    def endless(handler: Handler, _: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        with_chunks = 0
        try:
            while with_chunks < 400:
                handler.wfile.write(bytes(65536))
                with_chunks += 1
        except OSError:
            pass

    server.acts.append(endless)
    wish = wanted(Asked("m", f"{server.url}/m", [f"model.bin={'0' * 64}"]), None)
    known = File(path="model.bin", sha256="0" * 64, size=100_000)
    with pytest.raises(WrongContent, match="more than 100000 bytes"):
        fetching(replace(wish, files=(known,)))


def test_server_that_lies_about_the_length_is_asked_again(
    fetching: Fetching, server: Server
) -> None:
    wish = model(server)

    def lie(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) + 1000))
        handler.end_headers()
        handler.wfile.write(content[:100_000])

    server.acts.append(lie)
    folder = fetching(wish)
    assert (folder / "model.bin").read_bytes() == server.files["/m/model.bin"]


def test_server_that_falls_silent_is_asked_again(fetching: Fetching, server: Server) -> None:
    wish = model(server)
    fetching.read_seconds = 0.2

    def silent(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("ETag", server.tag(content))
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:100_000])
        time.sleep(1.0)

    server.acts.append(silent)
    fetching(wish)
    assert server.seen[1].headers["Range"] == "bytes=100000-"
    assert "does not answer in time" in fetching.log.getvalue()


def test_garbage_is_no_answer(fetching: Fetching, server: Server) -> None:
    wish = model(server)

    def garbage(handler: Handler, _: bytes) -> None:
        handler.wfile.write(b"\x00\x01not HTTP at all\r\n\r\n" * 10)

    server.acts += [garbage] * 4
    with pytest.raises(Unreachable, match="given up after 4 tries"):
        fetching(wish)


def test_other_part_than_was_asked_for_is_not_put_in(fetching: Fetching, server: Server) -> None:
    wish = model(server)

    def other(handler: Handler, content: bytes) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 5-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - 5))
        handler.end_headers()
        handler.wfile.write(content[5:])

    server.acts += [break_after(1000, server), other]
    folder = fetching(wish)
    assert (folder / "model.bin").read_bytes() == server.files["/m/model.bin"]


def test_damaged_file_is_fetched_again_and_others_stay(fetching: Fetching, server: Server) -> None:
    wish = model(server)
    folder = fetching(wish)
    (folder / "model.bin").write_bytes(b"damaged")
    (folder / "scripta.json").write_text('{"languages": ["en"]}')
    kept = (folder / "tokens.txt").stat().st_ino
    server.seen.clear()
    fetching(wish)
    assert (folder / "model.bin").read_bytes() == server.files["/m/model.bin"]
    assert [seen.path for seen in server.seen] == ["/m/model.bin"]
    assert (folder / "tokens.txt").stat().st_ino == kept
    assert (folder / "scripta.json").read_text() == '{"languages": ["en"]}'
    assert hidden(folder.parent) == []


def test_process_that_was_killed_between_two_folders_is_made_good(
    fetching: Fetching, server: Server
) -> None:
    """Guards the moment in which the old folder is away and the new one not there yet."""
    wish = model(server)
    folder = fetching(wish)
    folder.rename(folder.with_name(".m.old"))
    server.seen.clear()
    fetching(wish)
    assert server.seen == []
    assert folder.is_dir()
    assert hidden(folder.parent) == []


def test_file_without_a_checksum_needs_trust_and_then_is_held(
    fetching: Fetching, server: Server
) -> None:
    """Guards an unverified file that is used silently."""
    server.files |= {"/m/model.bin": b"first"}
    asked = Asked("m", f"{server.url}/m", files=["model.bin"])
    with pytest.raises(Unpinned, match=r"model\.bin.*--sha256.*--manifest.*--trust-on-first-use"):
        fetching(wanted(asked, None))
    folder = fetching(wanted(replace(asked, trusted=True), None))
    assert "nobody has vouched for model.bin" in fetching.log.getvalue()
    server.seen.clear()
    fetching(wanted(asked, None))
    assert server.seen == []
    (folder / "model.bin").write_bytes(b"other")
    server.files |= {"/m/model.bin": b"other"}
    with pytest.raises(WrongContent):
        fetching(wanted(asked, None))


def test_broken_file_without_tag_and_checksum_begins_anew(
    fetching: Fetching, server: Server
) -> None:
    server.tags = False
    content = bytes(range(256)) * 2000
    server.files |= {"/m/model.bin": content}

    def broken(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:1000])

    server.acts.append(broken)
    asked = Asked("m", f"{server.url}/m", files=["model.bin"], trusted=True)
    folder = fetching(wanted(asked, None))
    assert (folder / "model.bin").read_bytes() == content
    assert "Range" not in server.seen[1].headers


def test_folder_that_can_not_be_written_says_who_may(fetching: Fetching, server: Server) -> None:
    from scripta_models.errors import NotWritable

    blocked = Path(fetching.folder.parent / "file")
    blocked.write_text("not a folder")
    fetching.folder = blocked / "models"
    with pytest.raises(NotWritable, match=r"can not be written.*--to.*fsGroup"):
        fetching(model(server))
