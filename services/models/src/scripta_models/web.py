"""Asks for a file over HTTP, from a given byte on, and knows which faults may pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from scripta_models.errors import NotFound, Refused, Unreachable
from scripta_models.places import Place, Scheme, shown, web_url
from scripta_models.settings import Settings

_CONNECT_SECONDS: Final = 10.0
_LONGEST_WAIT_SECONDS: Final = 60.0
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_LOGIN: Final = frozenset({401, 403})
_PASSING: Final = frozenset({408, 425, 429})
_CERTIFICATE: Final = "CERTIFICATE_VERIFY_FAILED"
_PROXY: Final = "the proxy wants a login (407): set HTTPS_PROXY (or HTTP_PROXY) to http://user:password@host:port"


class Passing(Exception):
    """A fault that may be over at the next try.

    Attributes:
        seconds: For how long the server asks us to wait; ``None`` if it does not say.
        anew: Whether what is here can not be the beginning of the file.
    """

    def __init__(self, words: str, seconds: float | None = None, *, anew: bool = False) -> None:
        super().__init__(words)
        self.seconds = seconds
        self.anew = anew


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server sends of a file.

    Attributes:
        start: The byte with which it begins: the one that was asked for, or 0.
        total: Bytes of the whole file; ``None`` if the server does not say.
        tag: By which the same state of the file is asked for again; empty for none.
        kind: Media type.
        chunks: The bytes.
    """

    start: int
    total: int | None
    tag: str
    kind: str
    chunks: Iterator[bytes]


class Web:
    """Opens files over HTTP.

    Args:
        settings: The hub, the mirror and their tokens.
        read_seconds: For how long a server may send nothing.
    """

    def __init__(self, settings: Settings, read_seconds: float = 30.0) -> None:
        self._settings = settings
        self._client = httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(read_seconds, connect=min(_CONNECT_SECONDS, read_seconds)),
        )

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()

    def url(self, place: Place) -> str:
        """Returns the URL of a place: with a signature, if it is in a bucket.

        Raises:
            WrongUsage: A library is missing.
            Refused: There are no credentials.
        """
        if place.scheme is Scheme.BUCKET:
            from scripta_models.buckets import signed_url

            return signed_url(place)
        return web_url(place, self._settings.hub)

    @contextmanager
    def open(self, place: Place, start: int = 0, tag: str = "") -> Iterator[Answer]:
        """Opens a file.

        Args:
            place: Where it is.
            start: The first byte that is wanted.
            tag: As an earlier answer had it: a file that has changed since comes whole.

        Raises:
            Passing: Nobody answers, or not now.
            Unreachable: It can not be had.
        """
        url = self.url(place)
        headers = {"Accept-Encoding": "identity", **self._credentials(url)}
        if start:
            headers["Range"] = f"bytes={start}-"
            if tag:
                headers["If-Range"] = tag
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                _check(response, place, self._advice(place))
                yield _answer(response, start)
        except httpx.TimeoutException as error:
            raise Passing(f"{shown(url)} does not answer in time") from error
        except httpx.TooManyRedirects as error:
            raise Unreachable(f"{shown(url)} leads in circles: check the source") from error
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise _fault(url, error) from error

    def _credentials(self, url: str) -> dict[str, str]:
        """Returns the token for whom it is meant; nobody sees it in clear text on a network."""
        host = urlsplit(url).hostname or ""
        if urlsplit(url).scheme != "https" and host not in ("127.0.0.1", "localhost", "::1"):
            return {}
        for base, token in (
            (self._settings.mirror, self._settings.mirror_token),
            (self._settings.hub, self._settings.token),
        ):
            if token and base and url.startswith(base.rstrip("/") + "/"):
                return {"Authorization": f"Bearer {token}"}
        return {}

    def _advice(self, place: Place) -> str:
        if place.scheme is Scheme.HUB:
            return (
                f"if the model is gated, accept its terms on the page of {place.root} and set "
                "HF_TOKEN to a token of that account; a hub says the same of a repository that "
                "does not exist"
            )
        if place.scheme is Scheme.BUCKET:
            return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod a role"
        if self._settings.mirror:
            return "set SCRIPTA_MODELS_MIRROR_TOKEN to a token for the mirror"
        return "give user and password in the URL, or another source"


def _check(response: httpx.Response, place: Place, advice: str) -> None:
    status = response.status_code
    asked, place_text = shown(str(response.url)), str(place)
    where = place_text if place_text == asked else f"{place_text} ({asked})"
    if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        return
    if status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        raise Refused(_PROXY)
    if status in _LOGIN:
        raise Refused(f"{where} is not given to this caller ({status}): {advice}")
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        raise NotFound(where)
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise Passing("the file at the source is shorter than what is here", anew=True)
    if status in _PASSING or status >= 500:
        raise Passing(f"{where} answers {status} {response.reason_phrase}", _retry_after(response))
    raise Unreachable(f"{where} answers {status} {response.reason_phrase}: check the source")


def _answer(response: httpx.Response, asked: int) -> Answer:
    headers = response.headers
    length = headers.get("Content-Length", "")
    start, total = 0, int(length) if length.isdecimal() else None
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        found = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if not found or int(found[1]) != asked:
            raise Passing("the server sends another part of the file than was asked for")
        start, total = asked, int(found[2]) if found[2] != "*" else None
    if headers.get("Content-Encoding", "identity") != "identity":
        raise Unreachable(f"{shown(str(response.url))} comes compressed, though nobody asked")
    tag = headers.get("ETag", "")
    if tag.startswith("W/") or not tag:
        tag = headers.get("Last-Modified", "")
    kind = headers.get("Content-Type", "").partition(";")[0]
    return Answer(start, total, tag, kind, response.iter_raw())


def _fault(url: str, error: Exception) -> Exception:
    words = str(error) or type(error).__name__
    if _CERTIFICATE in words:
        return Unreachable(
            f"the certificate of {shown(url)} is not trusted: name the authority's file in "
            "SSL_CERT_FILE (PEM)"
        )
    if isinstance(error, httpx.ProxyError) and words.startswith("407"):
        return Refused(_PROXY)
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return Unreachable(f"{shown(url)} can not be asked for ({words}): check the source")
    return Passing(f"{shown(url)}: {words}")


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_WAIT_SECONDS) if text.isdecimal() else None
