"""What a load test may be told, and where it may go."""

from __future__ import annotations

import re
import wave
from argparse import ArgumentParser
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from scripta_load.audio import SAMPLE, read_speech
from scripta_load.errors import BadOption
from scripta_load.options import Options, add_arguments, websocket_url
from scripta_load.target import check_target

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("ws://127.0.0.1:8000/ws", "ws://127.0.0.1:8000/ws"),
        ("ws://gateway", "ws://gateway/ws"),
        ("http://gateway:8000/", "ws://gateway:8000/ws"),
        ("https://speech.example/v2", "wss://speech.example/v2"),
    ],
)
def test_host_becomes_the_address_of_the_dialect(host: str, url: str) -> None:
    assert websocket_url(host) == url


@pytest.mark.parametrize("host", ["gateway:8000", "ftp://gateway", "ws://", "ws://a:b"])
def test_host_that_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(BadOption, match="must look like"):
        websocket_url(host)


def test_session_asks_for_what_the_options_say() -> None:
    options = Options(url="ws://g/ws?tier=1", language="en", interims=False, sample_rate=8000)
    assert options.session_url() == (
        "ws://g/ws?tier=1&encoding=linear16&sample_rate=8000&interim_results=false&language=en"
    )
    assert replace(options, model="tiny").session_url().endswith("&model=tiny")


@pytest.mark.parametrize(
    "options", [{"pace": 0.0}, {"chunk_ms": 1}, {"max_lost": 101.0}, {"session_seconds": -1.0}]
)
def test_option_out_of_bounds_is_named(options: dict[str, float]) -> None:
    with pytest.raises(BadOption, match="--" + next(iter(options)).replace("_", "-")):
        Options(**options)  # type: ignore[arg-type]


class Parser(ArgumentParser):
    """One that takes Locust's own words, and leaves the environment alone."""

    def add_argument(self, *args: Any, env_var: str = "", **more: Any) -> Any:
        return super().add_argument(*args, **more)


@pytest.fixture
def parser() -> Parser:
    made = Parser()
    add_arguments(made)
    return made


def test_command_line_without_options_is_the_defaults(parser: Parser) -> None:
    assert Options.of(parser.parse_args([]), None) == Options()


def test_every_option_arrives(parser: Parser) -> None:
    line = "--pace 2 --chunk-ms 20 --no-interims --model m --max-broken 3 --allow-remote"
    assert Options.of(parser.parse_args(line.split()), "ws://g/ws") == Options(
        url="ws://g/ws", pace=2.0, chunk_ms=20, interims=False, model="m", max_broken=3,
        allow_remote=True,
    )  # fmt: skip


def test_readme_has_every_option_and_its_default() -> None:
    readme = (ROOT / "loadtest/README.md").read_text()
    rows = dict(re.findall(r"(?m)^\| `--([a-z-]+)` \| (?:`(.*?)`)? ?\|", readme))
    assert rows.pop("no-interims") == ""
    assert rows.pop("recording") == SAMPLE
    assert rows.pop("allow-remote") == ""
    options = Options()
    wanted = {
        each.name.replace("_", "-"): str(getattr(options, each.name))
        for each in fields(options)
        if each.name not in ("url", "interims", "recording", "allow_remote")
    }
    assert rows == wanted


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "100.64.0.1", "fd00::1"]
)
def test_load_goes_to_private_addresses(address: str) -> None:
    check_target("ws://gateway/ws", allow_remote=False, resolve=lambda *_: [address])


@pytest.mark.parametrize("addresses", [["93.184.215.14"], ["10.0.0.1", "2606:4700::1111"]])
def test_load_goes_to_public_addresses_only_if_allowed(addresses: list[str]) -> None:
    with pytest.raises(BadOption, match="--allow-remote"):
        check_target("ws://speech.example/ws", allow_remote=False, resolve=lambda *_: addresses)
    check_target("ws://speech.example/ws", allow_remote=True, resolve=lambda *_: addresses)


def test_host_without_an_address_is_named() -> None:
    def nobody(*_: object) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(BadOption, match=r"gateway\.invalid has no address"):
        check_target("ws://gateway.invalid/ws", allow_remote=False, resolve=nobody)


@pytest.fixture
def stereo(tmp_path: Path) -> str:
    """Half a second at 32 kHz, 1000 on the left and 3000 on the right."""
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(32_000)
        file.writeframes(((1000).to_bytes(2, "little") + (3000).to_bytes(2, "little")) * 16_000)
    return str(path)


def test_recording_is_mixed_and_converted_once(stereo: str) -> None:
    speech = read_speech(stereo, 16_000)
    assert speech.seconds == pytest.approx(0.5, abs=0.01)
    middle = int.from_bytes(speech.pcm[8000:8002], "little", signed=True)
    assert middle == pytest.approx(2000, abs=20)


def test_recording_is_repeated_or_cut_to_a_sessions_length(stereo: str) -> None:
    speech = read_speech(stereo, 32_000)
    assert speech.lasting(1.25).seconds == pytest.approx(1.25)
    assert speech.lasting(0.2).pcm == speech.pcm[: 2 * 6400]
    assert speech.lasting(0.0) is speech


def test_chunks_are_the_whole_recording(stereo: str) -> None:
    speech = read_speech(stereo, 16_000)
    chunks = speech.chunks(0.03)
    assert b"".join(chunks) == speech.pcm
    assert {len(chunk) for chunk in chunks[:-1]} == {960}


def test_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("not audio")
    with pytest.raises(BadOption, match=r"notes\.wav"):
        read_speech(str(path), 16_000)
