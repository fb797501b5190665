"""Profane words keep their first letter only, in every form; harmless ones stay."""

from __future__ import annotations

import pytest

from scripta_gateway.text import TextRules

pytestmark = pytest.mark.unit

RULES = TextRules(masks_profanity=True)


@pytest.mark.parametrize(
    "word",
    [
        *("fuck", "Fucking", "fucker's", "mother-fucker", "motherfucker’s", "clusterfuck"),
        *("fuck-up", "shit-faced", "bullshit", "shitshow", "shittiest", "batshit", "asshole's"),
        *("dumb-ass", "jackass", "bitch's", "sons-of-bitches", "goddammit", "bastards"),
        *("f***ing", "f**k", "s**t", "b*tch", "sh!t", "a$$hole", "sh1t", "un-fucking-believable"),
        *("ｆｕｃｋ", "Arsehole"),
    ],
)
def test_profane_words_keep_their_first_letter(word: str) -> None:
    """Guards compounds, possessives and what an engine has masked in part."""
    assert RULES.apply(f"So {word}, yes").text == f"So {word[0]}{'*' * (len(word) - 1)}, yes"


@pytest.mark.parametrize(
    "text",
    [
        *("Shitake or shiitake", "Scunthorpe", "a classy bass", "assassins pass", "Dick Cockburn"),
        *("titanic titles", "saltwater", "the damsel", "an asset", "scrap", "prickly Hancock"),
        *("Penistone", "5 * 4", "document", "Wankel", "E*TRADE", "1!0"),
    ],
)
def test_harmless_words_stay(text: str) -> None:
    assert RULES.apply(text).text == text


def test_what_the_client_put_there_itself_stays() -> None:
    rules = TextRules(masks_profanity=True, replaced=(("heck", "shit"),))
    assert rules.apply("Oh heck.").text == "Oh shit."
