"""Forms with a file, as browsers post them (``multipart/form-data``), read piece by piece. Pure.

A file is told in pieces and is never held. Always true: what is kept between two pieces is shorter
than a delimiter, or is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from enum import Enum, auto
from typing import Final

from scripta_gateway.bounds import FORM_FIELD_BYTES, FORM_PARTS

_END_OF_HEAD: Final = b"\r\n\r\n"
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


class FormError(ValueError):
    """The body is no form that is understood; the message is written for the client."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name and its whole value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the file; the first one may be empty."""

    name: str
    data: bytes


class _In(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()
    HEAD = auto()
    FIELD = auto()
    FILE = auto()
    END = auto()


class Form:
    """One form.

    Args:
        content_type: The ``Content-Type`` of the request.

    Raises:
        FormError: It names no form, or one without a boundary.
    """

    def __init__(self, content_type: str) -> None:
        said = Message()
        said["content-type"] = content_type
        boundary = said.get_param("boundary")
        if said.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
            raise FormError("Send a form: multipart/form-data with a boundary")
        if not _BOUNDARY.fullmatch(boundary):
            raise FormError("The form's boundary has to be 1 to 70 of the characters for one")
        self._delimiter = b"\r\n--" + boundary.encode()
        self._in = _In.PREAMBLE
        # As if a line ended before the body: the first delimiter is then like the others.
        self._rest = b"\r\n"
        self._name = ""
        self._parts = 0
        # Bytes of fields and of heads so far.
        self._kept = self._heads = 0

    @property
    def complete(self) -> bool:
        """Whether its last delimiter has come; what follows has no meaning."""
        return self._in is _In.END

    def feed(self, data: bytes) -> Iterator[Field | Piece]:
        """Yields what some bytes of the body bring, in their order.

        Raises:
            FormError: They are not understood, or too much.
        """
        self._rest += data
        going = True
        while going:
            going, news = self._step()
            if news is not None:
                yield news

    def _step(self) -> tuple[bool, Field | Piece | None]:
        """Reads on by one thing; returns whether there may be more, and what it brought."""
        match self._in:
            case _In.PREAMBLE:
                return self._skip(), None
            case _In.DELIMITER:
                return self._begin_part(), None
            case _In.HEAD:
                return self._read_head()
            case _In.FIELD:
                return self._read_field()
            case _In.FILE:
                return self._read_file()
            case _In.END:
                self._rest = b""
                return False, None

    def _to_delimiter(self) -> tuple[bytes, bool]:
        """Takes what stands before the delimiter, or before what may be one."""
        at = self._rest.find(self._delimiter)
        if at >= 0:
            taken, self._rest = self._rest[:at], self._rest[at + len(self._delimiter) :]
            self._in = _In.DELIMITER
            return taken, True
        end = max(0, len(self._rest) - len(self._delimiter) + 1)
        taken, self._rest = self._rest[:end], self._rest[end:]
        return taken, False

    def _skip(self) -> bool:
        skipped, found = self._to_delimiter()
        self._heads += len(skipped)
        self._check()
        return found

    def _begin_part(self) -> bool:
        if self._rest.startswith(b"--"):
            self._in = _In.END
        elif self._rest.startswith(b"\r\n"):
            self._rest = self._rest[2:]
            self._parts += 1
            if self._parts > FORM_PARTS:
                raise FormError(f"A form has at most {FORM_PARTS} parts")
            # As if a line ended before the head: an empty head ends like any other.
            self._rest, self._in = b"\r\n" + self._rest, _In.HEAD
        elif self._rest[:1] in (b" ", b"\t"):  # padding, which is allowed
            padded, self._rest = len(self._rest), self._rest.lstrip(b" \t")
            self._heads += padded - len(self._rest)
            self._check()
        elif len(self._rest) >= 2:
            raise FormError("The form is broken behind a boundary")
        else:
            return False
        return True

    def _read_head(self) -> tuple[bool, Piece | None]:
        at = self._rest.find(_END_OF_HEAD)
        if self._heads + (len(self._rest) if at < 0 else at) > FORM_FIELD_BYTES:
            raise FormError(f"The heads of a form's parts have at most {FORM_FIELD_BYTES} bytes")
        if at < 0:
            return False, None
        head, self._rest = self._rest[:at], self._rest[at + len(_END_OF_HEAD) :]
        self._heads += at
        self._name, is_file = _named(head)
        self._in = _In.FILE if is_file else _In.FIELD
        return True, Piece(self._name, b"") if is_file else None

    def _read_field(self) -> tuple[bool, Field | None]:
        at = self._rest.find(self._delimiter)
        if self._kept + (len(self._rest) if at < 0 else at) > FORM_FIELD_BYTES:
            raise FormError(
                f"The fields of a form have at most {FORM_FIELD_BYTES} bytes; a file has a file "
                "name"
            )
        if at < 0:
            return False, None
        value, _ = self._to_delimiter()
        self._kept += len(value)
        try:
            return True, Field(self._name, value.decode())
        except UnicodeDecodeError:
            raise FormError(f"The field {self._name!r} is no text in UTF-8") from None

    def _read_file(self) -> tuple[bool, Piece | None]:
        data, found = self._to_delimiter()
        return found, Piece(self._name, data) if data else None

    def _check(self) -> None:
        if self._heads > FORM_FIELD_BYTES:
            raise FormError("The body does not begin with the form's boundary")


def _named(head: bytes) -> tuple[str, bool]:
    """Returns the name of a part, and whether the part is a file."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            said = Message()
            said["content-disposition"] = value.decode("utf-8", "replace").strip()
            field = said.get_param("name", header="content-disposition")
            if isinstance(field, str):
                file = said.get_param("filename", header="content-disposition")
                return field, file is not None
    raise FormError("A part of the form has no name")
