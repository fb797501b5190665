from __future__ import annotations

import json

import pytest

from scripta_client.events import Final, Word
from scripta_client.formats import Format, printable, transcript

pytestmark = pytest.mark.unit


def written(form, *finals):
    made = transcript(form)
    return made.head + "".join(made.write(final) for final in finals)


def test_srt_is_numbered_over_finals_and_skips_empty_ones():
    assert written(
        Format.SRT,
        Final(1, "hello", 0.0, 1.5),
        Final(2, "", 1.5, 2.0),
        Final(3, "there", 3599.9996, 3661.25),
    ) == ("1\n00:00:00,000 --> 00:00:01,500\nhello\n\n2\n01:00:00,000 --> 01:01:01,250\nthere\n\n")


def test_srt_text_can_not_end_its_cue():
    text = written(Format.SRT, Final(1, "a --> b\n\n7\nc", 0.0, 2.0))
    assert text == "1\n00:00:00,000 --> 00:00:02,000\na → b 7 c\n\n"


def test_vtt_begins_as_it_must_and_is_escaped():
    text = written(Format.VTT, Final(1, "<b>R&D</b> --> x", 0.0, 2.0))
    assert text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n&lt;b&gt;R&amp;D&lt;/b&gt; --&gt; x\n\n"
    )


def test_json_is_one_line_with_everything_known():
    final = Final(2, "süß\n", 0.0, 1.0, "end", (Word("süß", 0.0, 1.0),), True, 0.5, "de")
    line = written(Format.JSON, final)
    assert line.count("\n") == 1
    assert "süß" in line
    assert json.loads(line) == {
        "index": 2,
        "text": "süß\n",
        "start": 0.0,
        "end": 1.0,
        "reason": "end",
        "words": [{"text": "süß", "start": 0.0, "end": 1.0}],
        "words_estimated": True,
        "confidence": 0.5,
        "language": "de",
    }


def test_text_is_one_line_a_final_and_obeys_nobody():
    text = written(Format.TEXT, Final(1, "a\nb \x1b[2J c", 0.0, 1.0), Final(2, " ", 1.0, 2.0))
    assert text == "a b [2J c\n"


def test_letters_of_every_script_are_printable():
    assert printable("naïve 語 день नमस्ते") == "naïve 語 день नमस्ते"
