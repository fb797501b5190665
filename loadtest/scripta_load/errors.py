"""What can go wrong with a load test, as opposed to what it finds wrong.

LoadError
├── BadOption: an option, the target or the recording can not be used
└── ReferenceFailed: the first pass, by which words are counted, did not come to its end
"""


class LoadError(Exception):
    """The test can not be run; the message says why and what helps."""


class BadOption(LoadError):
    """An option, the target or the recording can not be used."""


class ReferenceFailed(LoadError):
    """The first pass, by which words are counted, did not come to its end."""
