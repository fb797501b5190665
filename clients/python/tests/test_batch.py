"""``scripta transcribe`` on several recordings, and on folders of them."""

from __future__ import annotations

import json
import shutil

import pytest

from scripta_client.batch import jobs_of
from scripta_client.errors import BadAudioFile
from scripta_client.formats import Format

pytestmark = pytest.mark.asgi


async def says_its_length(peer):
    audio = await peer.until_end()
    await peer.final(1, f"{len(audio)} bytes", 0.0, 1.0)
    await peer.over(1.0)


@pytest.fixture
def folder(recording, tmp_path):
    """Two recordings, one of them in a folder within, and a letter."""
    within = tmp_path / "talks" / "old"
    within.mkdir(parents=True)
    shutil.copy(recording, tmp_path / "talks" / "b.wav")
    shutil.copy(recording, within / "a.WAV")
    (within / "letter.txt").write_text("dear reader", "utf-8")
    return tmp_path / "talks"


async def test_transcripts_come_in_order_under_their_names(gateway, scripta, folder, recording):
    async with gateway(says_its_length) as server:
        done = await scripta("transcribe", folder, recording, "--url", server.url)
    assert (done.code, done.err) == (0, "")
    assert done.out == "".join(
        f"==> {path} <==\n32000 bytes\n"
        for path in (folder / "b.wav", folder / "old" / "a.WAV", recording)
    )


async def test_line_of_json_names_its_file(gateway, scripta, folder):
    async with gateway(says_its_length) as server:
        done = await scripta("transcribe", folder, "--format", "json", "--url", server.url)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["file"], line["text"]) for line in lines] == [
        (str(folder / "b.wav"), "32000 bytes"),
        (str(folder / "old" / "a.WAV"), "32000 bytes"),
    ]


async def test_folder_of_transcripts_is_as_that_of_the_recordings(
    gateway, scripta, folder, tmp_path
):
    out = tmp_path / "out"
    async with gateway(says_its_length) as server:
        done = await scripta(
            "transcribe", folder, "--output", out, "--format", "vtt", "--url", server.url
        )
    assert (done.code, done.out, done.err) == (0, "", "")
    assert sorted(path.relative_to(out) for path in out.rglob("*.vtt")) == sorted(
        path.relative_to(folder).with_suffix(".vtt")
        for path in folder.rglob("*")
        if path.suffix.lower() == ".wav"
    )
    assert "32000 bytes" in (out / "b.vtt").read_text("utf-8")


async def test_recording_that_fails_costs_no_other(gateway, scripta, folder, recording):
    """Guards a night of recordings against one that is broken."""
    (folder / "a.wav").write_bytes(b"")
    async with gateway(says_its_length) as server:
        done = await scripta("transcribe", folder, "--url", server.url)
    assert done.code == 2
    assert done.out.count("32000 bytes") == 2
    assert done.err.splitlines()[0].startswith(f"scripta: {folder / 'a.wav'}: cannot read")
    assert done.err.splitlines()[1:] == ["scripta: 1 of 3 recordings are not transcribed"]


async def test_gateway_that_is_down_is_told_once(scripta, folder):
    done = await scripta("transcribe", folder, "--url", "ws://127.0.0.1:9/ws")
    assert (done.code, done.out) == (3, "")
    assert done.err.count("nothing listens there") == 1


async def test_no_more_go_side_by_side_than_was_said(gateway, scripta, folder, recording):
    at_once, most = 0, 0

    async def script(peer):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await says_its_length(peer)
        at_once -= 1

    async with gateway(script) as server:
        done = await scripta("transcribe", folder, recording, "--jobs", "1", "--url", server.url)
    assert (done.code, most) == (0, 1)


@pytest.mark.parametrize(
    "arguments", [("-", "x.wav"), ("x.wav", "y.wav", "--format", "srt"), ("x", "--jobs", "0")]
)
async def test_what_makes_no_sense_for_several_exits_2(scripta, arguments):
    done = await scripta("transcribe", *arguments, stdin=b"")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1


def test_folder_without_recordings_is_told(tmp_path):
    (tmp_path / "letter.txt").write_text("dear reader", "utf-8")
    with pytest.raises(BadAudioFile, match="no recording"):
        jobs_of([tmp_path], Format.TEXT, None)


def test_two_recordings_do_not_write_one_transcript(tmp_path):
    """Guards talk.mp3 against talk.wav."""
    for name in ("talk.mp3", "talk.wav"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadAudioFile, match="would both be"):
        jobs_of([tmp_path], Format.TEXT, tmp_path / "out")
