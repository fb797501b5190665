"""The tree of errors: what clients, metrics and services agree on."""

from __future__ import annotations

import pytest

from scripta_common import errors
from scripta_common.errors import ScriptaError, by_code

pytestmark = pytest.mark.unit

CLASSES = [ScriptaError, *ScriptaError.__subclasses__()]


def test_codes_are_unique() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(set(codes)) == len(codes)


def test_tree_has_one_level() -> None:
    """A service may refine an error of the tree for itself; its code stays that of the tree."""
    below = [deeper for cls in CLASSES[1:] for deeper in cls.__subclasses__()]
    assert not [cls for cls in below if cls.__module__ == errors.__name__]
    assert all(by_code(cls.code) is not cls for cls in below)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_code_leads_back_to_its_class(cls: type[ScriptaError]) -> None:
    assert by_code(cls.code) is cls


def test_unknown_code_is_a_plain_error() -> None:
    assert by_code("from_a_newer_version") is ScriptaError


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_close_codes_are_those_that_we_document(cls: type[ScriptaError]) -> None:
    assert cls.close_code in {1001, 1007, 1008, 1011, 1012, 1013}
    if cls.close_code in {1012, 1013}:
        assert cls.retryable
