"""Keyterms as dialects take them: bounded, and named where no model hears them."""

from __future__ import annotations

import json

import pytest

from scripta_gateway.dialects import told
from scripta_gateway.dialects.keyterms import BadTerms, keyterms, of_prompt
from scripta_gateway.dialects.native import NativeDialect
from scripta_gateway.transports.base import Request

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("values", [map(str, range(101)), ["x" * 2001], ["a\0b"]])
def test_too_many_too_long_and_no_text_are_refused_by_name(values: list[str]) -> None:
    with pytest.raises(BadTerms, match=r"^Bad value for terms: "):
        keyterms("terms", values)


def test_terms_of_a_prompt_are_what_fits() -> None:
    assert of_prompt("Ada  Lovelace; Moa\nKea,,", ["Moa", "Tui"]) == (
        *("Ada Lovelace", "Moa", "Kea", "Tui"),
    )
    assert of_prompt(f"Ada, {'x' * 2000}, Moa") == ("Ada",)
    assert len(of_prompt(",".join(map(str, range(200))))) == 100


@pytest.mark.parametrize("heeds", [True, False])
def test_native_clients_hear_that_no_model_takes_their_terms(heeds: bool) -> None:
    """Guards a client that tunes terms which nothing hears."""
    query = (("keyterms", "Ada,Moa"), ("tier", "a"), ("events", "true"))
    codec = NativeDialect().begin(Request(id="id", at=0.0, query=query))
    assert codec.options.session.keyterms == ("Ada", "Moa")
    opened = told.Opened("sid", 1, keyterms=heeds)
    named = ["tier"] if heeds else ["tier", "keyterms"]
    assert codec.greet(opened).headers["scripta-ignored"] == ", ".join(named)
    (frame,) = codec.write(opened)
    assert json.loads(str(frame))["ignored"] == named
