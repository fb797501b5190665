"""Names of models that clients have hard-wired, and what they are here. Pure.

A client of another vendor names that vendor's models. Each dialect knows those names; an operator
may say which model of the fleet stands behind one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class ModelNames:
    """What a name means.

    Args:
        known: Names of a vendor's models. Without further word each is whatever model serves here.
        set_by_operator: Own name of a model by the name that clients use.
    """

    def __init__(self, known: Iterable[str], set_by_operator: Mapping[str, str]) -> None:
        self._known = frozenset(known)
        self._set = set_by_operator

    def own(self, name: str | None) -> str | None:
        """Returns the model to ask the fleet for; ``None`` for any.

        Args:
            name: As the client gave it; ``None`` or empty if it named none.
        """
        if not name:
            return None
        if name in self._set:
            return self._set[name]
        return None if name in self._known else name
