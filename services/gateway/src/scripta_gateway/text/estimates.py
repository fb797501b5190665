"""Words of results that have none: each with a time that is an estimate. Pure."""

from __future__ import annotations

from scripta_common.wire import Final, Interim, Word


def words_of(result: Final | Interim) -> tuple[Word, ...]:
    """Returns the words of a result; where it has none, they share its time equally."""
    if isinstance(result, Final) and result.words:
        return result.words
    texts, start = result.text.split(), result.start
    each = (result.end - start) / max(1, len(texts))
    return tuple(
        Word(text, start + each * at, start + each * (at + 1)) for at, text in enumerate(texts)
    )
