"""The bounds on what a client can cause, all in one place, each with its reason.

A bound that an operator may want to change is a setting; its default and its reason stand in
``settings``. All others are constants here. Whatever enforces a bound imports it from here,
refuses early and cheaply, says in plain words what was too much, and counts that in
``scripta_gateway_bounds_hit_total`` under the bound's name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

RESERVED_SECONDS: Final = 1.0
"""How long a place holds for a client that has been accepted and has not spoken yet: long enough
for one that means to speak, and nobody waits longer for those who do not."""

SILENT_LEAST_SECONDS: Final = 1.0
"""A silent client that is younger does not make room for newcomers: it has had no time to speak."""


class Bound(StrEnum):
    """A bound on what a client can cause; the value is the metric's label."""

    HEAD_BYTES = "head_bytes"
    """Bytes of a request's head: before that nobody knows who calls, or what for."""
    TLS_HANDSHAKES = "tls_handshakes"
    """Handshakes of TLS a second: more of them wait until they are accepted."""
    TLS_SECONDS = "tls_seconds"
    """Time in which a handshake of TLS has to be complete."""
    HEAD_SECONDS = "head_seconds"
    """Time in which a request's head has to be complete, also for a socket that never speaks."""
    BODY_BYTES = "body_bytes"
    """Bytes of a request's body: of a recording, or on a route that wants none."""
    BODY_SECONDS = "body_seconds"
    """Time between two pieces of a recording that is posted."""
    FETCH_SECONDS = "fetch_seconds"
    """Time in which a recording has to be fetched from its URL."""
    REDIRECTS = "redirects"
    """Redirects of a URL that a recording is fetched from."""
    CALLBACK_BYTES = "callback_bytes"
    """Results that wait for the URLs that they are sent to."""
    BAD_ATTEMPTS = "bad_attempts"
    """Wrong keys of one address, or of all: answers to more of them take their time."""
    REQUESTS = "requests"
    """Requests a second of one connection."""
    CONNECTIONS = "connections"
    """Sockets that the process holds, whatever they are for."""
    SILENT_CONNECTIONS = "silent_connections"
    """Accepted clients that have not sent any audio; the oldest make room for newcomers."""
    FRAME_BYTES = "frame_bytes"
    """Bytes of one binary message."""
    TEXT_BYTES = "text_bytes"
    """Bytes of one text message."""
    FRAMES = "frames"
    """Frames a second of one connection: each costs time on the loop, whatever its size."""
    UNFINISHED_BYTES = "unfinished_bytes"
    """Bytes of frames that are not complete, over all connections."""
    REFUSALS = "refusals"
    """Messages of one connection refused in a row."""
    ANSWER_WORDS = "answer_words"
    """Words of a recording that gets one answer."""
    UNREAD = "unread"
    """Answers and results that a client does not read."""
    DECODERS = "decoders"
    """Compressed streams that are decoded at the same time."""
    DECODER_MEMORY = "decoder_memory"
    """Memory of one compressed stream's decoder."""
    DECODER_SECONDS = "decoder_seconds"
    """Time that one compressed stream's decoder may take for one step."""
    GAP_SECONDS = "gap_seconds"
    """Silence that the times in a compressed stream ask for."""
    HELD_AUDIO = "held_audio"
    """Decoded audio that the process holds, over all sessions."""


# What a client may have under way between its frames and the log.

MAX_APPEND_ENTRIES: Final = 64
"""Entries that one call puts into the log: a call holds the broker up for half a millisecond."""

MAX_APPEND_BYTES: Final = 256 * 1024
"""Audio in one call, unless a single entry is longer: what a slow network carries in a moment."""

MAX_UNWRITTEN_SECONDS: Final = 8.0
"""Audio entered and not in the log yet: the longest entry eight times, and far more than live
speech brings in one round trip to the most distant broker. Beyond, the client is not read from."""

MAX_UNANSWERED: Final = 256
"""Messages of one connection that are not answered yet: what 20 ms chunks come to in 5 s. Beyond,
the client is not read from; so one that reads no answers is not read from either."""

MAX_MESSAGES_A_TURN: Final = 4
"""Messages of one connection that are handled before all others have their turn."""

MAX_BACKLOG_ENTRIES: Final = 4096
"""Entries past the checkpoint, whatever their length: what tiny messages can cost."""

MAX_BOUNDARIES: Final = 32
"""Boundaries asked for and not decided yet: each is an entry and a final, and needs no audio."""

MAX_UNDELIVERED: Final = 64
"""Results kept for a client that does not read, of a few kilobytes at most each; more stay in the
log until it does."""

MAX_RESULTS_KEPT: Final = 1000
"""Results in the log that a client has been sent, if it may come back: more than what is on its way
when a connection breaks, and half a megabyte or so. Of one that can not come back none is kept."""

DROP_STEP: Final = 50
"""Results that are dropped from the log together: a call for each would cost more than it frees."""

MAX_ANSWER_WORDS: Final = 50_000
"""Words that are kept for one answer: five hours of speech. Ten megabytes, and as much again while
it is written."""

MAX_TURN_SEGMENTS: Final = 2000
"""Segments of a turn that its client does not end: hours of speech. Beyond, it ends by itself."""

MAX_SEND_SECONDS: Final = 60.0
"""How long a client may leave answers or results unread before its connection is given up."""

PAUSE_SECONDS: Final = 2.0
"""How long such a gateway waits for a pause in which it can end a call without cutting a word. It
is a part of the time for the last words: finals take a second, and all has to fit into a drain."""

UTTERANCE_SECONDS: Final = 4.0
"""The same for the end of a call that is one utterance: most are shorter."""

OVER_LIMIT_SECONDS: Final = 60.0
"""How long a call that has come over its caller's limit waits for the transcript of what was
accepted: a full backlog, twice as fast as it was spoken."""

MAX_REFUSALS_IN_A_ROW: Final = 1000
"""Refused messages without an accepted one between them: such a client does not heed the errors."""

KIB: Final = 1024
MIB: Final = 1024 * KIB

# A socket before it has a session. Nobody knows yet who calls, so that these are tight.

REQUEST_LINE_BYTES: Final = 8 * KIB
"""Longest request line: what common proxies pass on; our longest query has some 500 bytes."""
HEADER_LINE_BYTES: Final = 16 * KIB
"""Longest header line: all cookies of a host in one line, as browsers send them."""
HEADER_LINES: Final = 128
"""Most header lines: browsers behind three proxies send about 40."""
HEAD_BYTES: Final = 32 * KIB
"""Longest head of a request, all lines together."""
REQUEST_BODY_BYTES: Final = 64 * KIB
"""Longest body of a request on a route that wants none: a small one is simply not read."""
REQUEST_SECONDS: Final = 10.0
"""Time for a whole request, from the accept or its first byte: slow links need one or two."""
TLS_HANDSHAKES_A_SECOND: Final = 200.0
"""Handshakes of TLS that are begun in a second: each costs about 0.7 ms of the time in which those
who speak are served, so that all together cost a seventh of a core, whoever asks for them."""
TLS_HANDSHAKES_BURST: Final = 100.0
"""Handshakes that may come together."""
TLS_SECONDS: Final = 10.0
"""Time for a handshake of TLS, which comes before the request: slow links need one or two."""
TLS_CLOSE_SECONDS: Final = 10.0
"""Time in which a client has to take what was written last and to say goodbye in TLS."""
BODY_SECONDS: Final = 30.0
"""Time between two pieces of a body of audio, while it is read: networks stall for seconds."""
BODY_PIECE_BYTES: Final = 32 * KIB
"""Bytes of a body that are put together before they are decoded: a second of plain samples."""
FORM_PARTS: Final = 64
"""Parts of a form: clients send a dozen; each costs a step, however short."""
FORM_FIELD_BYTES: Final = 64 * KIB
"""All fields of a form together, without its file, and as much for their heads: a prompt has some
thousand bytes."""
FORM_HELD_BYTES: Final = MIB
"""A file's first bytes that are kept until the fields behind it are known: clients for Node send
the file first. A minute of MP3."""
FETCH_REQUEST_BYTES: Final = 64 * KIB
"""Longest body of a request that names the URL of a recording: a signed URL has a few thousand."""
LISTED_VALUES: Final = 200
"""Values of one option that may be given again and again, such as phrases to replace: what vendors
advise. Each phrase is looked for in each result."""
KEYTERMS: Final = 100
"""Words of one session that are probably said: as many as vendors take."""
KEYTERM_CHARACTERS: Final = 2000
"""All of them together: a model looks at some hundred tokens, and each segment pays for them."""
HANDSHAKE_SECONDS: Final = 30.0
"""Time in which a handshake is answered: a broker that fails over needs less."""
ANSWER_SECONDS: Final = 30.0
"""Time in which a client has to read an HTTP answer, or a closing WebSocket our last frames."""
KEEP_ALIVE_SECONDS: Final = 75
"""Time that a connection without a request is kept for the next one. Longer than clients and load
balancers keep it (5 to 60 s): whoever closes first never loses a request that is on its way."""
FAREWELL_SECONDS: Final = 2.0
"""Time to read why one is sent away, before the socket is cut: a few round trips."""
FAREWELL_BYTES: Final = MIB
"""What is read and thrown away in that time: what is on its way, mostly."""
REQUESTS_A_SECOND: Final = 50.0
"""Requests a second of one connection, once the burst is used up: a few hundredths of a core. A
proxy brings those of many visitors on one connection."""
REQUESTS_BURST: Final = 200.0
"""Requests of one connection at once: the page has a dozen files, and visitors come together."""
SPARE_SOCKETS: Final = 512
"""Sockets beyond those of sessions: handshakes of many who come at once, probes, the page."""

# Questions about usage.

MAX_USAGE_STARTS: Final = 1500
"""Hours, or days, that one answer is put together from: two months of hours. Each is a read."""
MAX_USAGE_HASHES: Final = 50_000
"""The same over all tenants that an operator asks about: some seconds of reads, page by page."""
MAX_USAGE_ROWS: Final = 20_000
"""Rows that one answer is put together from: a tenth of a second of the loop's time, in pieces."""

# Frames of an accepted WebSocket.

TEXT_BYTES: Final = 64 * KIB
"""Longest text message: commands have a few dozen bytes, and JSON is parsed on the loop."""
AUDIO_TEXT_BYTES: Final = 16 * MIB
"""The same where text messages bring audio as base64: four minutes of speech in one."""
AUDIO_TEXT_ROOM: Final = 64 * MIB
"""Room for such messages of more than ``SMALL_MESSAGE_BYTES``, over all connections, from their
beginning until their audio is in the log. Others wait, or send smaller ones."""
SMALL_MESSAGE_BYTES: Final = 64 * KIB
"""Up to here a message needs no room of the process's: two seconds of raw audio."""
UNFINISHED_BYTES: Final = 64 * MIB
"""Room for larger messages that are not complete, over all connections: 64 of the largest."""
UNFINISHED_SECONDS: Final = 10.0
"""How long a message may hold room that others wait for: a megabyte at 100 kB/s."""
FRAGMENTS: Final = 4096
"""Most fragments of one message: those of 256 bytes make up the largest."""
INBOX_MESSAGES: Final = 16
"""Messages that are read ahead: what they cost is the longest turn of one client."""
FRAMES_A_TURN: Final = 32
"""Frames that are parsed before others get their turn: less than half a millisecond."""
FRAMES_A_SECOND: Final = 500.0
"""Frames a second, once the burst is used up: 20 ms chunks at ten times the speed of speech, and
the smallest there are, of 10 ms, at that speed."""
FRAMES_BURST: Final = 2000.0
"""Frames at once: 20 ms chunks of 40 seconds, which a phone sends when its network is back."""
FRAME_COSTS: Final = ((100, 4.0), (256, 1.0), (MIB * MIB, 0.2))
"""What a frame counts as, by the bytes that it has less than. 20 ms of the thinnest audio count as
one. A smaller frame counts as four, for it costs as much. One that brings a good deal of audio
counts as a fifth."""
SKIPPED_BYTES_OF_A_FRAME: Final = 4 * KIB
"""Bytes of an oversized message that count as a frame: reading them costs as much, for nothing."""

MAX_HELD_SECONDS: Final = 4096.0
"""Decoded audio that is not transcribed yet, over all sessions: 131 MB. Beyond, whoever holds more
than ``UNSHARED_SECONDS`` is not read from."""

UNSHARED_SECONDS: Final = 35.0
"""Audio that every session may hold, whatever the others do: the longest segment and what the
segmenter looks ahead. With less, nothing could be transcribed and let go."""

MAX_DECODED_SECONDS: Final = 1800.0
"""Audio that one message may decode to: a megabyte of packed silence could otherwise be days."""

MAX_GAP_SECONDS: Final = 600.0
"""Silence for one gap between the times in a stream: a microphone that was muted for ten minutes.
A longer gap is a clock that was set: the audio goes on without it, and nothing is lost."""

MAX_SILENCE_RATIO: Final = 60.0
"""Such silence for a second of sound, beyond one longest gap: a radio on which somebody speaks a
minute in an hour. It keeps a few bytes in a row from making ten minutes each."""

MAX_FILES_A_MESSAGE: Final = 1000
"""Files joined in one message: each costs some work, however little audio is in it."""

MAX_COMPRESSED_FILES_A_MESSAGE: Final = 64
"""Compressed ones among them: each costs a process."""

MAX_FILE_BYTES: Final = 32 * 1024 * 1024
"""An MP4 file with its index at the end, which has to be complete before it can be decoded."""

MAX_KEPT_BYTES: Final = 64 * 1024 * 1024
"""All such files together, while they are not complete."""

BAD_ATTEMPTS_A_SECOND: Final = 1.0
"""Wrong keys of one address that are answered at once: a person or a client that is set up wrong
needs no more, and all callers behind one address translation may share it."""

BAD_ATTEMPTS_BURST: Final = 20.0
"""Wrong keys of one address that may come together."""

ALL_BAD_ATTEMPTS_A_SECOND: Final = 50.0
"""Wrong keys of all addresses that are answered at once, with one second's at a time: each costs a
quarter of a millisecond of the time in which those who speak are served."""

BAD_ATTEMPTS_REMEMBERED: Final = 10_000
"""Addresses whose wrong keys are remembered, of about 200 bytes each."""

BAD_ATTEMPTS_WAITING: Final = 400
"""Wrong keys whose answers wait at the same time, each with its connection; beyond, 429 at once."""

TOKEN_SECONDS: Final = 7200
"""How long a short-lived token can be used, at most: what other vendors allow. It may stand in a
URL, and so in a log."""

PROVIDER_AGAIN_SECONDS: Final = 10.0
"""Time between two requests to the identity provider, however many tokens name keys that are not
known: a token with a new key waits so long, at most, and nobody makes us ask in a loop."""

TOKEN_CHARACTERS: Final = 4096
"""Longest short-lived token: it has to fit into a request line of ``REQUEST_LINE_BYTES``, with all
else that stands there."""

MAX_FRUITLESS_BYTES: Final = 512 * 1024
"""What a compressed stream may bring without any audio; an MP4 index eight times as much."""

MAX_PICTURE_BYTES: Final = 33 * 1024 * 1024
"""What a stream may bring of pictures, tags and indexes: a megabyte more than a file that is kept,
so that who keeps one says itself that it is too large."""

MAX_METADATA_BYTES: Final = 16 * 1024 * 1024
"""Pictures and the like before or behind the samples of a file. They are stepped over, not kept."""

MAX_METADATA_CHUNKS: Final = 1000
"""Chunks of such a file before its samples: each is a turn of a loop."""

MAX_DAMAGED_BYTES: Final = 64 * 1024
"""Bytes in a row without a frame in a stream of frames, between frames or before the first: four
seconds of speech at a high bit rate. Beyond, the stream is refused."""

MAX_LOST_SECONDS: Final = 30.0
"""Silence that stands in for one stretch of damaged audio: frames may claim to be of any length."""

MAX_DECODER_BYTES: Final = 64 * 1024 * 1024
"""Memory that a compressed stream's process may take besides what it is born with and a file that
it keeps. Ordinary streams take 3 to 5 MB."""

ORDINARY_DECODER_BYTES: Final = 8 * 1024 * 1024
"""What every such process may take, whatever the others do."""

MAX_SPARE_DECODER_BYTES: Final = 128 * 1024 * 1024
"""What they may take together beyond that: the indexes of a few long MP4 files. A process that
takes more while this is used up is ended, or the kernel would end all of the container's."""

MAX_STEP_SECONDS: Final = 20.0
"""Time in which a compressed stream's process has to give its next slice. It takes hundredths of a
second; the rest is for a machine that is busy."""

MAX_STEP_CPU_SECONDS: Final = 10
"""Processor time for the same: bounds a step that no gateway watches any more."""

MAX_CHANNELS: Final = 32
"""More than any recorder has; each one costs memory in every frame."""

# Calls to the outside, to hosts that an operator allows and a client names.

RESOLVE_SECONDS: Final = 5.0
"""Time to resolve the name of a host: a resolver asks its second server after as long."""

OUTBOUND_CONNECT_SECONDS: Final = 5.0
"""Time to connect to one address, TLS included: a few round trips, and one lost packet."""

OUTBOUND_READ_SECONDS: Final = 30.0
"""Time between two pieces of an answer, while it is read: as for a body that is posted."""

FETCH_REDIRECTS: Final = 5
"""Redirects on the way to a recording: signed links need one or two."""

FETCH_SECONDS: Final = 4 * 3600.0
"""Time for a whole recording, which is read as it is transcribed: a day of audio at six times real
time. It ends a target that sends a byte now and then."""

CALLBACK_QUEUE: Final = 64
"""Results of one call that wait for its target; more wait in the log."""

CALLBACK_BYTES: Final = 64 * MIB
"""Results that wait for all targets together: answers of thirty hours of speech. Beyond, new calls
with a callback are refused."""

CALLBACKS_AT_ONCE: Final = 64
"""Requests to targets that are under way at the same time."""

CALLBACKS_FAILING: Final = 32
"""The same to targets whose last request failed, so that they do not hold up the others."""

CALLBACK_TRY_SECONDS: Final = 10.0
"""Time in which a target has to answer: it only has to store what it gets."""

CALLBACK_SECONDS: Final = 45.0
"""Time for all tries to deliver one result: a target that restarts needs less. It is shorter than
``MAX_SEND_SECONDS``, so that a call outlives a target that does not come back."""

CALLBACK_DRAIN_SECONDS: Final = 10.0
"""How long a gateway that stops waits, within its drain, for results in line for their targets."""
