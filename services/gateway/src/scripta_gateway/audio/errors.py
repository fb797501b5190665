"""The one error of audio decoding."""

from __future__ import annotations

from scripta_common.errors import BadAudio


class AudioError(BadAudio):
    """A message is not audio that can be decoded; what was decoded before the damage stands.

    The message completes "Audio cannot be decoded: " and is written for the client. The decoder
    stays usable: it looks at the next message afresh.
    """


class MessageRefused(AudioError):
    """A message is refused, and the stream that it came in goes on as if it had not been sent."""


class FileBefore(MessageRefused):
    """The file that a message ends was faulty; the file that the message begins was taken."""


def middle_of(name: str) -> AudioError:
    """Returns the error of a stream that was joined where it can not be heard."""
    return AudioError(
        f"it is the middle of a stream of {name}, which lacks what the start says; send it from "
        "its start, or let the recorder begin anew"
    )


def too_long(seconds: float) -> AudioError:
    """Returns the error of a message that holds more audio than one may."""
    return AudioError(
        f"it holds more than {seconds:.0f} seconds of audio; send it in several messages"
    )


def unknown_file() -> AudioError:
    """Returns the error of bytes that are no file which is recognised."""
    return AudioError(
        "this is no audio file that is recognised; send WAV, FLAC, MP3, MP4, WebM, Ogg or another "
        "common format"
    )
