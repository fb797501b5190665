"""Admission: which pool takes a new session, how many may wait, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripta_common.errors import NoCapacity, UnknownModel, UnsupportedLanguage
from scripta_common.fleet import Fleet, Line, Member, Pool, Roll
from scripta_common.models import Model
from scripta_gateway.admission.admission import Admission
from scripta_gateway.admission.routing import route

pytestmark = pytest.mark.unit


def fleet(slots: int, demand: int) -> Fleet:
    """One pool "gpu" with one transcriber that has the model "whisper"."""
    roll = Roll({"tr": Member("gpu", ("whisper",), (), slots)}, {})
    return Fleet.muster(roll, {"gpu": Line(demand)})


ADMISSION = Admission(live_wait=3, max_uploads=2)


def pool(slots: int, demand: int = 0) -> Pool:
    return fleet(slots, demand).pools["gpu"]


def test_live_session_gets_a_slot_or_one_that_comes_free_soon() -> None:
    assert ADMISSION.most_live(pool(8), 0) == 8
    assert ADMISSION.most_live(pool(8), 3) == 11


def test_however_fast_slots_come_free_no_more_live_sessions_wait_than_there_are_slots() -> None:
    assert ADMISSION.most_live(pool(8), 1000) == 16


def test_slots_of_uploads_are_free_for_live_sessions() -> None:
    """Guards callers from being refused for as long as recordings are transcribed."""
    uploading = replace(pool(8), sessions=8, lent=8)
    assert ADMISSION.most_live(uploading, 0) == 16
    assert ADMISSION.most_uploads(uploading, 8) == 2


def test_pool_without_slots_takes_no_live_session() -> None:
    """Guards talkers from waiting for a transcriber that may take minutes to start."""
    assert ADMISSION.most_live(pool(0), 5) == 0


def test_uploads_wait_in_a_number_and_for_slots_that_nobody_has() -> None:
    assert ADMISSION.most_uploads(pool(8), 8) == 2
    assert ADMISSION.most_uploads(pool(8), 6) == 4
    assert ADMISSION.most_uploads(pool(8), 11) == 2
    assert ADMISSION.most_uploads(pool(0), 0) == 2


@pytest.mark.parametrize(
    ("admission", "slots", "upload", "text"),
    [
        (
            ADMISSION,
            8,
            False,
            'All 8 slots of pool "gpu" are taken and none is expected to come free within 3 s; '
            "try again in some seconds.",
        ),
        (
            Admission(live_wait=0, max_uploads=2),
            8,
            False,
            'All 8 slots of pool "gpu" are taken; try again in some seconds.',
        ),
        (
            ADMISSION,
            0,
            False,
            'No transcriber of pool "gpu" is ready; try again in some seconds.',
        ),
        (
            ADMISSION,
            8,
            True,
            'All 8 slots of pool "gpu" are taken and 2 uploads wait already; try again later.',
        ),
        (
            Admission(live_wait=3, max_uploads=0),
            8,
            True,
            'All 8 slots of pool "gpu" are taken and no upload may wait; try again later.',
        ),
    ],
)
def test_refusal_says_what_is_the_matter_and_what_to_do(
    admission: Admission, slots: int, upload: bool, text: str
) -> None:
    assert str(admission.refusal(pool(slots), upload=upload)) == text


def test_unknown_model_is_refused_for_good_and_the_known_are_named() -> None:
    with pytest.raises(UnknownModel, match=r'"nova".*known: whisper'):
        route(fleet(8, 0), "nova")


def test_model_that_nobody_can_know_yet_is_refused_for_now() -> None:
    """Guards a first start, when transcribers still load, from an error that says for ever."""
    empty = Fleet.muster(Roll({}, {}), {})
    with pytest.raises(NoCapacity):
        route(empty, "whisper")
    assert route(empty, None).pool == "default"


def two_pools(**languages: tuple[str, ...]) -> Fleet:
    members = {name: Member(name, (f"m-{name}",), tags, 8) for name, tags in languages.items()}
    return Fleet.muster(Roll(members, {}), {})


@pytest.mark.parametrize(
    ("model", "language"), [(None, "en"), (None, "EN-gb"), ("m-gpu", "ru"), (None, None)]
)
def test_language_that_the_pool_speaks_is_admitted(model: str | None, language: str | None) -> None:
    fleet = two_pools(default=("en",), gpu=("de", "ru"))
    assert route(fleet, model, language).pool in ("default", "gpu")


def test_other_language_is_refused_and_what_there_is_is_named() -> None:
    with pytest.raises(UnsupportedLanguage) as refused:
        route(two_pools(default=("en",), gpu=("de", "ru")), None, "ru-RU")
    assert str(refused.value) == (
        'Pool "default" does not speak the language "ru-RU" (it speaks: en); these models do: m-gpu'
    )
    with pytest.raises(UnsupportedLanguage, match=r'"sv" \(it speaks: de, ru\)$'):
        route(two_pools(default=("en",), gpu=("de", "ru")), "m-gpu", "sv")


def test_pool_that_has_not_said_its_languages_may_speak_any() -> None:
    assert route(two_pools(default=()), None, "sv").pool == "default"
    assert route(Fleet.muster(Roll({}, {}), {}), None, "sv").pool == "default"


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
    assert route(pool, model, language).model == own


def test_session_has_no_model_while_nobody_has_said_which_there_are() -> None:
    assert route(Fleet.muster(Roll({}, {}), {}), None).model is None


def test_language_that_the_named_model_does_not_speak_is_refused_although_its_pool_does() -> None:
    with pytest.raises(UnsupportedLanguage) as refused:
        route(one_pool((MOONSHINE, BASE)), "moonshine", "ru")
    assert str(refused.value) == (
        'Model "moonshine" does not speak the language "ru" (it speaks: en); these models do: '
        "base, whisper, whisper-base"
    )
    with pytest.raises(UnsupportedLanguage) as refused:
        route(one_pool((MOONSHINE, BASE)), None, "sv")
    assert str(refused.value) == (
        'Pool "default" does not speak the language "sv" (it speaks: de, en, ru)'
    )


def test_of_two_pools_with_a_model_of_that_name_one_that_speaks_the_language_is_taken() -> None:
    members = {
        "tr-1": Member("a", (), (), 8, 0, (TINY,)),
        "tr-2": Member("b", (), (), 8, 0, (BASE,)),
    }
    pools = Fleet.muster(Roll(members, {}), {"b": Line(5)})
    assert route(pools, "whisper", "ru").pool == "b"
    assert route(pools, "whisper", "en").pool == "a"


def test_pool_in_the_middle_of_a_change_offers_what_all_of_it_have() -> None:
    """Guards sessions that would wait for the few, or be given a model that they did not name."""
    changing = one_pool((MOONSHINE,), (MOONSHINE, BASE))
    assert route(changing, None).model == "moonshine-tiny-en"
    with pytest.raises(
        UnknownModel, match=r'"whisper" here \(known: moonshine, moonshine-tiny-en\)'
    ):
        route(changing, "whisper")
    with pytest.raises(UnsupportedLanguage):
        route(changing, None, "ru")


def test_pool_that_exchanges_its_model_offers_both() -> None:
    changing = one_pool((MOONSHINE,), (BASE,))
    assert route(changing, "moonshine").model == "moonshine-tiny-en"
    assert route(changing, None, "ru").model == "whisper-base"


def test_who_loads_or_drains_has_no_say_in_what_a_pool_offers() -> None:
    """Guards a pool against a newcomer that never comes up."""
    members = {
        "broken": Member("default", (), (), 0, 0, (TINY,)),
        "good": Member("default", (), (), 8, 0, (MOONSHINE, BASE)),
    }
    fleet = Fleet.muster(Roll(members, {}), {})
    assert route(fleet, None, "ru").model == "whisper-base"
    assert fleet.models == ["base", "moonshine", "moonshine-tiny-en", "whisper", "whisper-base"]


def test_transcribers_of_a_version_with_one_model_decide_what_their_pool_offers() -> None:
    """They would give their one model to any session that they get."""
    members = {
        "old": Member("default", ("moonshine", "moonshine-tiny-en"), ("en",), 8),
        "new": Member("default", ("moonshine",), ("en", "ru"), 8, 0, (BASE, MOONSHINE)),
    }
    fleet = Fleet.muster(Roll(members, {}), {})
    assert route(fleet, None).model == "moonshine-tiny-en"
    with pytest.raises(UnknownModel):
        route(fleet, "whisper")
    exchanging = {**members, "new": Member("default", (), (), 8, 0, (BASE,))}
    assert Fleet.muster(Roll(exchanging, {}), {}).models == ["moonshine", "moonshine-tiny-en"]
    alone = Fleet.muster(Roll({"old": members["old"]}, {}), {})
    assert route(alone, "moonshine", "en").model == "moonshine-tiny-en"


def test_models_of_one_name_that_speak_differently_are_asked_for_what_all_of_them_speak() -> None:
    english = Model(("sherpa", "mine", "sherpa-mine"), ("en",))
    more = Model(("sherpa", "mine", "sherpa-mine"), ("en", "ru"))
    with pytest.raises(UnsupportedLanguage):
        route(one_pool((english,), (more,)), "mine", "ru")


def test_what_transcribers_disagree_on_or_do_not_say_is_not_known_of_a_model() -> None:
    """Guards a rollout: who is told of word times by one transcriber may get the other."""
    names = ("sherpa", "mine", "sherpa-mine")
    told = Model(names, ("en",), interims=True, word_times=False)
    older, newer = Model(names, ("en",)), Model(names, ("en",), interims=True, word_times=True)
    ((same,), (mixed,), (former,)) = (
        one_pool((told,), (other,)).pools["default"].served for other in (told, newer, older)
    )
    assert (same.interims, same.word_times) == (True, False)
    assert (mixed.interims, mixed.word_times) == (True, None)
    assert (former.interims, former.word_times) == (None, None)


def test_models_of_one_name_without_a_language_in_common_do_not_speak_any() -> None:
    german = Model(("sherpa", "mine", "sherpa-mine"), ("de",))
    russian = Model(("sherpa", "mine", "sherpa-mine"), ("ru",))
    changing = one_pool((german,), (russian,))
    assert route(changing, "mine", "de").model == "sherpa-mine"
    with pytest.raises(UnsupportedLanguage, match=r"it speaks: de, ru"):
        route(changing, "mine", "fr")
