"""The text of results as a native client asks for it. Pure."""

from __future__ import annotations

from itertools import takewhile
from typing import Final as Constant

import msgspec

from scripta_common.wire import Final, Interim
from scripta_gateway.text import ChannelTexts, Tail, TextRules
from scripta_gateway.text.numbers import may_be

_MAY_GO_ON: Constant = Tail(digits=1)
"""What is before the first result of a client that comes back: perhaps a number."""


class Texts:
    """What one client is shown of its results.

    Args:
        rules: What is done to the text of each.
        language: BCP-47 tag that the session asks for.
        returns: Whether the client has had results before.
    """

    def __init__(self, rules: TextRules, language: str | None, *, returns: bool) -> None:
        self._rules = rules
        self._as_they_are = rules == TextRules()
        self._texts = ChannelTexts(rules, language, _MAY_GO_ON if returns else None)

    def final(self, result: Final) -> Final:
        """Returns a final as it is shown."""
        if self._as_they_are:
            return result
        (spoken,) = self._texts.shown([result], 0)
        words = spoken.words if result.words else ()
        return msgspec.structs.replace(result, text=spoken.text, words=words)

    def interim(self, result: Interim) -> Interim:
        """Returns an interim as it is shown; what it calls stable stays, whatever follows it."""
        if self._as_they_are:
            return result
        stable = " ".join(self._settled(result.stable.split()))
        (whole,) = self._texts.shown([result], 0)
        (begun,) = self._texts.shown([msgspec.structs.replace(result, text=stable)], 0)
        pairs = zip(whole.text.split(), begun.text.split(), strict=False)
        same = (word for word, other in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return msgspec.structs.replace(result, text=whole.text, stable=" ".join(same))

    def _settled(self, words: list[str]) -> list[str]:
        """Returns the words that no rule changes because of words that follow."""
        if not self._rules.numerals and not self._rules.redacted:
            return words
        plain = [word.strip(".,;:?!").lower() for word in words]
        numeric = [may_be(word) or any(map(str.isdigit, word)) for word in plain]
        if self._rules.redacted:
            # A number that is hidden now may be short enough to be shown in the final.
            return words[: numeric.index(True)] if True in numeric else words
        while numeric and numeric[-1]:
            numeric.pop()
        return words[: len(numeric)]
