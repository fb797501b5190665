"""Texts of a call: the rules on its results, in their order and each channel for itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripta_common.wire import Final, Interim
from scripta_gateway.text.estimates import words_of
from scripta_gateway.text.groups import Reach
from scripta_gateway.text.redaction import Tail, begins_with_number
from scripta_gateway.text.rules import Spoken, TextRules


class ChannelTexts:
    """What is shown of the results of one call.

    Args:
        rules: What is done to the text of each.
        language: BCP-47 tag of what is spoken, where results do not say; ``None``: not known.
        before: What was left by results that are not shown.

    Attributes:
        rules: The same; may be changed.
    """

    def __init__(
        self, rules: TextRules, language: str | None = None, before: Tail | None = None
    ) -> None:
        self.rules = rules
        self._language = language
        self._before = before or Tail()
        # What the last final of each channel left to the next, and its language.
        self._tails: dict[int, Tail] = {}
        self._languages: dict[int, str] = {}

    def shown(
        self, results: Sequence[Final | Interim], channel: int, *, whole: bool = False
    ) -> Iterator[Spoken]:
        """Yields what is shown of results that follow each other, and those told before.

        Args:
            results: The results.
            channel: Where they were said.
            whole: Whether nothing follows them.
        """
        for result, reach in zip(results, _reaches(results, whole), strict=True):
            before = self._tails.get(channel, self._before)
            if isinstance(result, Final) and result.language:
                self._languages[channel] = result.language
            rules = self.rules.spoken_in(self._languages.get(channel, self._language))
            spoken = rules.apply(result.text, words_of(result), before=before, reach=reach)
            if isinstance(result, Final):
                self._tails[channel] = spoken.tail
            yield spoken


def _reaches(results: Sequence[Final | Interim], whole: bool) -> list[Reach]:
    """Returns what may follow each result, by what does follow it."""
    found: list[Reach] = []
    goes_on = not whole
    for result in reversed(results):
        ends = Reach.OPEN if goes_on else Reach.WHOLE
        found.append(Reach.REVISABLE if isinstance(result, Interim) else ends)
        begins = begins_with_number(result.text)
        goes_on = goes_on if begins is None else begins
    return found[::-1]
