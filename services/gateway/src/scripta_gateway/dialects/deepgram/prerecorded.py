"""The codec of a recording that is posted: its bytes to audio, its finals to one answer. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import msgspec

from scripta_common.errors import ScriptaError
from scripta_common.wire import Final as FinalResult
from scripta_gateway.bounds import FETCH_REQUEST_BYTES
from scripta_gateway.dialects import asks, ignored, told
from scripta_gateway.dialects.asks import Ask
from scripta_gateway.dialects.base import Policy
from scripta_gateway.dialects.deepgram import errors
from scripta_gateway.dialects.deepgram.query import Query
from scripta_gateway.dialects.deepgram.results import Results
from scripta_gateway.dialects.keyterms import unheeded
from scripta_gateway.dialects.model_names import ModelNames
from scripta_gateway.dialects.names import DialectName
from scripta_gateway.transports.base import Close, Frame, Greeting, Refusal, Request

_PARAGRAPH_SECONDS: Final = 2.0
_SENTENCES: Final = 5
"""A paragraph ends at a pause, or behind so many sentences."""

Words = list[dict[str, Any]]


class _Named(msgspec.Struct):
    """The body of a request that names a recording."""

    url: str


class PrerecordedCodec:
    """One request.

    Args:
        request: How it began.
        query: What it asks for.
        own_name: Returns our name of a model.
    """

    resumable = False
    returns = None

    def __init__(
        self, request: Request, query: Query, own_name: Callable[[str | None], str | None]
    ) -> None:
        self._request = request
        self._query = query
        self._results = Results(request, query)
        wanted = query.options(own_name, _json({"request_id": self._results.id}))
        session = msgspec.structs.replace(wanted.session, interim_results=False, upload=True)
        self.options = replace(wanted, session=session)
        self._digest = hashlib.sha256()
        # What has come of a request that names a recording; ``None`` where it brings one.
        named = "json" in request.headers.get("content-type", "")
        self._named = bytearray() if named else None
        self._finals: list[list[FinalResult]] = [[]]

    def greet(self, opened: told.Opened) -> Greeting:
        """Returns ids and what is ignored."""
        terms = unheeded(opened, self._query, "keyterm", "keywords")
        named = ignored.headers((*self._query.ignored, *terms))
        return Greeting({"dg-request-id": self._results.id, **named})

    def read(self, frame: Frame) -> Sequence[Ask]:
        """Returns a piece of the recording, or nothing where one is named."""
        data = frame.encode() if isinstance(frame, str) else frame
        if self._named is not None:
            self._named += data
            too_long = len(self._named) > FETCH_REQUEST_BYTES
            return (asks.Refuse("A request that names a URL is shorter"),) if too_long else ()
        self._digest.update(data)
        return (asks.Audio(data),)

    def oversized(self, *, is_text: bool, limit: int) -> Sequence[Ask]:
        """Returns nothing: a body comes in pieces."""
        return ()

    def finish(self) -> Sequence[Ask]:
        """Returns the end of the recording, or where it is to be read from."""
        if self._named is None:
            return (asks.End(),)
        named, self._named = self._named, None
        try:
            return (asks.Fetch(msgspec.json.decode(named, type=_Named).url),)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            message = 'Post the bytes of a recording, or {"url": "https://…"} as JSON'
            return (asks.Refuse(message),)

    def write(self, news: told.Told) -> Sequence[Frame]:
        """Returns the answer once all is there."""
        match news:
            case told.Opened(model=str() as model):
                self._results.name(model)
            case told.Voices(count):
                self._finals = [[] for _ in range(count)]
            case told.Decided(channel, result):
                self._finals[channel].append(result)
            case told.Ended(length):
                return (_json(self._answer(length)),)
        return ()

    def close(self, error: ScriptaError | None) -> Close:
        """Returns the answer that an error is."""
        if error is None:
            return Close(1000)
        return Close(error.close_code, refusal=errors.refusal(self._request, error))

    def _answer(self, length: float) -> dict[str, Any]:
        said = [
            self._results.alternative(finals, channel, whole=True)
            for channel, finals in enumerate(self._finals)
        ]
        found: dict[str, Any] = {"channels": [self._channel(each) for each in said]}
        if self._query.utterances:
            each = [
                self._utterance(channel, words)
                for channel, alternative in enumerate(said)
                for words in _parts(alternative["words"], self._query.utt_split)
            ]
            found["utterances"] = sorted(each, key=lambda one: (one["start"], one["channel"]))
        metadata = self._results.metadata(self._digest.hexdigest(), length, len(said))
        return {"metadata": metadata, "results": found}

    def _channel(self, alternative: dict[str, Any]) -> dict[str, Any]:
        if self._query.paragraphs:
            alternative = {**alternative, "paragraphs": _paragraphs(alternative["words"])}
        channel: dict[str, Any] = {"alternatives": [alternative]}
        if self._query.detect_language and (languages := alternative.get("languages")):
            channel |= {"detected_language": languages[0], "language_confidence": 1.0}
        return channel

    def _utterance(self, channel: int, words: Words) -> dict[str, Any]:
        return {
            "id": f"{self._results.id}-{channel}-{round(1000 * words[0]['start'])}",
            "start": words[0]["start"],
            "end": words[-1]["end"],
            "confidence": round(sum(word["confidence"] for word in words) / len(words), 4),
            "channel": channel,
            "transcript": _text(words),
            "words": words,
        }


class PrerecordedDialect:
    """Recordings that are posted.

    Args:
        names: Names of models.
    """

    name = DialectName.DEEPGRAM
    policy = Policy(
        acks=False, flushes=False, goes_on_after_bad_audio=False, gathers=True, refusals_end=True
    )

    def __init__(self, names: ModelNames) -> None:
        self._names = names

    def begin(self, request: Request) -> PrerecordedCodec:
        """Returns the codec of a request; raises ``BadRequest`` that says what is wrong."""
        return PrerecordedCodec(request, Query.parse(request.query), self._names.own)

    def refuse(self, request: Request, error: ScriptaError) -> Refusal:
        """Returns the error in the vendor's form."""
        return errors.refusal(request, error)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _text(words: Words) -> str:
    return " ".join(str(word.get("punctuated_word", word["word"])) for word in words)


def _parts(words: Words, pause: float) -> list[Words]:
    """Returns the words apart where nobody speaks for so many seconds."""
    parts: list[Words] = [words[:1]] if words else []
    for before, word in pairwise(words):
        if word["start"] - before["end"] >= pause:
            parts.append([])
        parts[-1].append(word)
    return parts


def _paragraphs(words: Words) -> dict[str, Any]:
    found: list[list[Words]] = []
    for part in _parts(words, _PARAGRAPH_SECONDS):
        sentences: list[Words] = [[]]
        for word in part:
            sentences[-1].append(word)
            if word.get("punctuated_word", "").endswith((".", "?", "!")):
                sentences.append([])
        sentences = [sentence for sentence in sentences if sentence]
        found += [sentences[at : at + _SENTENCES] for at in range(0, len(sentences), _SENTENCES)]
    each = [
        {
            "sentences": [
                {"text": _text(said), "start": said[0]["start"], "end": said[-1]["end"]}
                for said in sentences
            ],
            "num_words": sum(map(len, sentences)),
            "start": sentences[0][0]["start"],
            "end": sentences[-1][-1]["end"],
        }
        for sentences in found
    ]
    texts = (" ".join(_text(said) for said in sentences) for sentences in found)
    return {"transcript": "\n\n".join(texts), "paragraphs": each}
