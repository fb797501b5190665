"""Admission: which pool takes a new session, and when none does."""

from __future__ import annotations

import pytest

from scripta_common.errors import NoCapacity, UnknownModel, UnsupportedLanguage
from scripta_common.fleet import Fleet, Line, Member, Roll
from scripta_common.models import Model
from scripta_gateway.admission import Admission

pytestmark = pytest.mark.unit


def fleet(slots: int, demand: int) -> Fleet:
    """One pool "gpu" with one transcriber that has the model "whisper"."""
    roll = Roll({"tr": Member("gpu", ("whisper",), (), slots)}, {})
    return Fleet.muster(roll, {"gpu": Line(demand)})


@pytest.mark.parametrize("demand", [0, 7, 8, 9])
def test_session_is_admitted_while_slots_or_places_in_line_are_left(demand: int) -> None:
    place = Admission(2).admit(fleet(8, demand), "whisper")
    assert (place.pool, place.most) == ("gpu", 10)


@pytest.mark.parametrize("demand", [10, 100])
def test_session_is_refused_with_what_happened_and_what_to_do(demand: int) -> None:
    with pytest.raises(NoCapacity) as refused:
        Admission(2).admit(fleet(8, demand), "whisper")
    assert str(refused.value) == (
        'All 8 slots of pool "gpu" and all 2 places in line are taken; try again in some seconds.'
    )


def test_without_places_in_line_slots_are_still_given() -> None:
    assert Admission(0).admit(fleet(1, 0), "whisper").most == 1
    with pytest.raises(NoCapacity):
        Admission(0).admit(fleet(1, 1), "whisper")


def test_pool_without_slots_lets_as_many_wait_as_may() -> None:
    assert Admission(2).admit(fleet(0, 1), "whisper").most == 2
    with pytest.raises(NoCapacity, match="No transcriber"):
        Admission(2).admit(fleet(0, 2), "whisper")


def test_unknown_model_is_refused_for_good_and_the_known_are_named() -> None:
    with pytest.raises(UnknownModel, match=r'"nova".*known: whisper'):
        Admission(2).admit(fleet(8, 0), "nova")


def test_model_that_nobody_can_know_yet_is_refused_for_now() -> None:
    """Guards a first start, when transcribers still load, from an error that says for ever."""
    empty = Fleet.muster(Roll({}, {}), {})
    with pytest.raises(NoCapacity):
        Admission(2).admit(empty, "whisper")
    assert Admission(2).admit(empty, None).pool == "default"


def two_pools(**languages: tuple[str, ...]) -> Fleet:
    members = {name: Member(name, (f"m-{name}",), tags, 8) for name, tags in languages.items()}
    return Fleet.muster(Roll(members, {}), {})


@pytest.mark.parametrize(
    ("model", "language"), [(None, "en"), (None, "EN-gb"), ("m-gpu", "ru"), (None, None)]
)
def test_language_that_the_pool_speaks_is_admitted(model: str | None, language: str | None) -> None:
    fleet = two_pools(default=("en",), gpu=("de", "ru"))
    assert Admission(2).admit(fleet, model, language).most == 10


def test_other_language_is_refused_and_what_there_is_is_named() -> None:
    with pytest.raises(UnsupportedLanguage) as refused:
        Admission(2).admit(two_pools(default=("en",), gpu=("de", "ru")), None, "ru-RU")
    assert str(refused.value) == (
        'Pool "default" does not speak the language "ru-RU" (it speaks: en); these models do: m-gpu'
    )
    with pytest.raises(UnsupportedLanguage, match=r'"sv" \(it speaks: de, ru\)$'):
        Admission(2).admit(two_pools(default=("en",), gpu=("de", "ru")), "m-gpu", "sv")


def test_pool_that_has_not_said_its_languages_may_speak_any() -> None:
    assert Admission(2).admit(two_pools(default=()), None, "sv").pool == "default"
    assert Admission(2).admit(Fleet.muster(Roll({}, {}), {}), None, "sv").pool == "default"


TINY = Model(("whisper", "tiny.en", "whisper-tiny.en"), ("en",))
BASE = Model(("whisper", "base", "whisper-base"), ("de", "en", "ru"))
MOONSHINE = Model(("moonshine", "moonshine-tiny-en"), ("en",))


def one_pool(*members: tuple[Model, ...]) -> Fleet:
    """A pool of transcribers, each with its models."""
    enlisted = {
        f"t{n}": Member("default", (), (), 8, 0, served) for n, served in enumerate(members)
    }
    return Fleet.muster(Roll(enlisted, {}), {})


@pytest.mark.parametrize(
    ("model", "language", "own"),
    [
        (None, None, "moonshine-tiny-en"),
        (None, "en-GB", "moonshine-tiny-en"),
        (None, "ru", "whisper-base"),
        ("whisper", None, "whisper-tiny.en"),
        ("whisper", "de", "whisper-base"),
        ("base", "en", "whisper-base"),
        ("whisper-base", None, "whisper-base"),
    ],
)
def test_session_gets_one_model_of_its_pool_by_name_and_language(
    model: str | None, language: str | None, own: str
) -> None:
    """Guards a takeover that would choose anew, and perhaps otherwise."""
    pool = one_pool((MOONSHINE, TINY, BASE), (MOONSHINE, TINY, BASE))
    assert Admission(2).admit(pool, model, language).model == own


def test_session_has_no_model_while_nobody_has_said_which_there_are() -> None:
    assert Admission(2).admit(Fleet.muster(Roll({}, {}), {}), None).model is None


def test_language_that_the_named_model_does_not_speak_is_refused_although_its_pool_does() -> None:
    with pytest.raises(UnsupportedLanguage) as refused:
        Admission(2).admit(one_pool((MOONSHINE, BASE)), "moonshine", "ru")
    assert str(refused.value) == (
        'Model "moonshine" does not speak the language "ru" (it speaks: en); these models do: '
        "base, whisper, whisper-base"
    )
    with pytest.raises(UnsupportedLanguage) as refused:
        Admission(2).admit(one_pool((MOONSHINE, BASE)), None, "sv")
    assert str(refused.value) == (
        'Pool "default" does not speak the language "sv" (it speaks: de, en, ru)'
    )


def test_of_two_pools_with_a_model_of_that_name_one_that_speaks_the_language_is_taken() -> None:
    members = {
        "tr-1": Member("a", (), (), 8, 0, (TINY,)),
        "tr-2": Member("b", (), (), 8, 0, (BASE,)),
    }
    pools = Fleet.muster(Roll(members, {}), {"b": Line(5)})
    assert Admission(2).admit(pools, "whisper", "ru").pool == "b"
    assert Admission(2).admit(pools, "whisper", "en").pool == "a"


def test_pool_in_the_middle_of_a_change_offers_what_all_of_it_have() -> None:
    """Guards sessions that would wait for the few, or be given a model that they did not name."""
    changing = one_pool((MOONSHINE,), (MOONSHINE, BASE))
    assert Admission(2).admit(changing, None).model == "moonshine-tiny-en"
    with pytest.raises(
        UnknownModel, match=r'"whisper" here \(known: moonshine, moonshine-tiny-en\)'
    ):
        Admission(2).admit(changing, "whisper")
    with pytest.raises(UnsupportedLanguage):
        Admission(2).admit(changing, None, "ru")


def test_pool_that_exchanges_its_model_offers_both() -> None:
    changing = one_pool((MOONSHINE,), (BASE,))
    assert Admission(2).admit(changing, "moonshine").model == "moonshine-tiny-en"
    assert Admission(2).admit(changing, None, "ru").model == "whisper-base"


def test_who_loads_or_drains_has_no_say_in_what_a_pool_offers() -> None:
    """Guards a pool against a newcomer that never comes up."""
    members = {
        "broken": Member("default", (), (), 0, 0, (TINY,)),
        "good": Member("default", (), (), 8, 0, (MOONSHINE, BASE)),
    }
    fleet = Fleet.muster(Roll(members, {}), {})
    assert Admission(2).admit(fleet, None, "ru").model == "whisper-base"
    assert fleet.models == ["base", "moonshine", "moonshine-tiny-en", "whisper", "whisper-base"]


def test_transcribers_of_a_version_with_one_model_decide_what_their_pool_offers() -> None:
    """They would give their one model to any session that they get."""
    members = {
        "old": Member("default", ("moonshine", "moonshine-tiny-en"), ("en",), 8),
        "new": Member("default", ("moonshine",), ("en", "ru"), 8, 0, (BASE, MOONSHINE)),
    }
    fleet = Fleet.muster(Roll(members, {}), {})
    assert Admission(2).admit(fleet, None).model == "moonshine-tiny-en"
    with pytest.raises(UnknownModel):
        Admission(2).admit(fleet, "whisper")
    exchanging = {**members, "new": Member("default", (), (), 8, 0, (BASE,))}
    assert Fleet.muster(Roll(exchanging, {}), {}).models == ["moonshine", "moonshine-tiny-en"]
    alone = Fleet.muster(Roll({"old": members["old"]}, {}), {})
    assert Admission(2).admit(alone, "moonshine", "en").model == "moonshine-tiny-en"


def test_models_of_one_name_that_speak_differently_are_asked_for_what_all_of_them_speak() -> None:
    english = Model(("sherpa", "mine", "sherpa-mine"), ("en",))
    more = Model(("sherpa", "mine", "sherpa-mine"), ("en", "ru"))
    with pytest.raises(UnsupportedLanguage):
        Admission(2).admit(one_pool((english,), (more,)), "mine", "ru")


def test_models_of_one_name_without_a_language_in_common_do_not_speak_any() -> None:
    german = Model(("sherpa", "mine", "sherpa-mine"), ("de",))
    russian = Model(("sherpa", "mine", "sherpa-mine"), ("ru",))
    changing = one_pool((german,), (russian,))
    assert Admission(2).admit(changing, "mine", "de").model == "sherpa-mine"
    with pytest.raises(UnsupportedLanguage, match=r"it speaks: de, ru"):
        Admission(2).admit(changing, "mine", "fr")
