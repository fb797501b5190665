"""Sound that is no speech: music, signals of lines and machines, and noise. All of it is made here.

Each is a few seconds long, with its loudest sample at full scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Final

import numpy as np
from distortions import FULL, Audio, Samples

from scripta_common.wire import SAMPLE_RATE

_LENGTH: Final = 8 * SAMPLE_RATE
_TIME: Final[Audio] = np.arange(_LENGTH) / SAMPLE_RATE

MAJOR: Final = (60, 64, 67)
PENTATONIC: Final = (60, 62, 64, 67, 69, 72, 69, 67, 64, 62)
"""Notes, as MIDI numbers them."""

DIGITS: Final = ((697, 1209), (770, 1336), (852, 1477), (941, 1336), (697, 1477))


def sines(*hertz: float) -> Audio:
    """Pure tones at once."""
    return np.sum([np.sin(2 * np.pi * one * _TIME) for one in hertz], axis=0)


def held(hertz: float | Audio, partials: int = 8, fall: float = 1.0) -> Audio:
    """One note of an instrument; its pitch may move."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, _LENGTH)) / SAMPLE_RATE
    number = np.arange(1, partials + 1)
    audible = number[number * float(np.max(hertz)) < 0.48 * SAMPLE_RATE]
    return np.sum([np.sin(one * phase + one) / one**fall for one in audible], axis=0)


def swell(rate: float, depth: float = 1.0) -> Audio:
    """A loudness that rises and falls so many times a second."""
    return 1 - depth * (0.5 + 0.5 * np.cos(2 * np.pi * rate * _TIME))


def pulse(on: float, off: float) -> Audio:
    """A loudness that is on and off for so many seconds, in turn, without clicks."""
    gate = (_TIME % (on + off) < on).astype(np.float64)
    return np.convolve(gate, np.hanning(161) / 80, mode="same")


def pitch(note: float) -> float:
    """Returns the frequency of a note."""
    return 440 * 2 ** ((note - 69) / 12)


def chord(notes: Sequence[float] = MAJOR) -> Audio:
    """Notes at once."""
    return np.sum([held(pitch(note), 4, 1.5) for note in notes], axis=0)


def melody(notes: Sequence[float], seconds: float, partials: int = 8, decay: float = 9.0) -> Audio:
    """One note after the other."""
    played, length, order = np.zeros(_LENGTH), round(seconds * SAMPLE_RATE), cycle(notes)
    voices = {note: held(pitch(note), partials) for note in notes}
    for start in range(0, _LENGTH, length):
        since = _TIME[: len(played[start : start + length])]
        shape = np.minimum(1, since / 0.01) * np.exp(-since / decay)
        shape *= np.minimum(1, (since[-1] - since) / 0.02)
        played[start : start + length] = voices[next(order)][: len(since)] * shape
    return played


def digits(on: float, off: float) -> Audio:
    """Keys of a telephone."""
    pairs, dialled = cycle(DIGITS), np.zeros(_LENGTH)
    step, length = round((on + off) * SAMPLE_RATE), round(on * SAMPLE_RATE)
    for start in range(0, _LENGTH, step):
        dialled[start : start + length] = sines(*next(pairs))[: len(dialled[start:][:length])]
    return dialled


def noise(low: float = 0, high: float = 8_000) -> Audio:
    """Noise between two frequencies."""
    spectrum = np.fft.rfft(np.random.default_rng(4).normal(size=_LENGTH))
    hertz = np.fft.rfftfreq(_LENGTH, 1 / SAMPLE_RATE)
    return np.fft.irfft(np.where((hertz >= low) & (hertz <= high), spectrum, 0), _LENGTH)


def fax_bits() -> Audio:
    """The first modem of a fax: two tones by turns, 300 times a second."""
    bits = np.random.default_rng(2).integers(0, 2, _LENGTH * 300 // SAMPLE_RATE + 1)
    return held(np.where(bits[np.arange(_LENGTH) * 300 // SAMPLE_RATE], 1650.0, 1850.0), 1)


def hold_music() -> Audio:
    """A melody, a bass and chords, as a line plays to whoever waits."""
    bass = melody((48, 45, 41, 43), 1.2, 4)
    accompaniment = np.sum([melody(notes, 1.2, 4) for notes in ((60, 57), (64, 60))], axis=0)
    return melody(PENTATONIC, 0.3, 6, 0.4) + 0.6 * bass + 0.3 * accompaniment


def _wave(rate: float) -> Audio:
    return np.sin(2 * np.pi * rate * _TIME)


_MADE: Final[dict[str, Callable[[], Audio]]] = {
    **{f"tone, {rate} Hz tremolo": lambda r=rate: sines(220) * swell(r) for rate in range(2, 9)},
    **{f"note, {rate} Hz tremolo": lambda r=rate: held(200) * swell(r) for rate in range(2, 9)},
    "low note, tremolo": lambda: held(110, 20, 0.7) * swell(4),
    "reed, tremolo": lambda: held(311, 12, 0.5) * swell(5, 0.8),
    **{f"chord, {rate} swells": lambda r=rate: chord() * swell(r) for rate in (1, 2, 4)},
    "chord, held": chord,
    "organ": lambda: chord((48, 60, 64, 67, 72)),
    "chords, one by one": lambda: melody((48, 55, 53, 50), 1.0, 10) + melody(MAJOR, 1.0),
    "melody of tones": lambda: melody(PENTATONIC, 0.25, 1),
    "melody of notes": lambda: melody(PENTATONIC, 0.4),
    "low melody": lambda: melody([note - 12 for note in PENTATONIC], 0.4, 12),
    "plucked melody": lambda: melody(PENTATONIC, 0.25, 10, 0.15),
    "arpeggio": lambda: melody((60, 64, 67, 72, 67, 64), 0.4, 5, 0.4),
    "fast arpeggio": lambda: melody((60, 64, 67, 72, 67, 64), 0.15, 5, 0.15),
    "hold music": hold_music,
    "hold music, tremolo": lambda: hold_music() * swell(4, 0.8),
    "ringback, America": lambda: sines(440, 480) * pulse(2, 4),
    "ringback, Britain": lambda: sines(400, 450) * (pulse(0.4, 0.2) * pulse(1, 2)),
    "ringback, Europe": lambda: sines(425) * pulse(1, 4),
    "busy": lambda: sines(425) * pulse(0.5, 0.5),
    "reorder": lambda: sines(480, 620) * pulse(0.25, 0.25),
    "dial tone": lambda: sines(350, 440),
    "keys": lambda: digits(0.1, 0.1),
    "slow keys": lambda: digits(0.25, 0.25),
    "fax calling": lambda: sines(1100) * pulse(0.5, 3),
    "fax answering": lambda: sines(2100),
    "fax sending": fax_bits,
    "siren, wail": lambda: held(900 + 500 * _wave(0.25), 4),
    "siren, yelp": lambda: held(1000 + 500 * _wave(3), 4),
    "siren, two notes": lambda: held(np.where(_TIME % 1 < 0.5, 440.0, 585.0), 4),
    "beeps": lambda: sines(1000) * pulse(0.1, 0.4),
    "fast beeps": lambda: sines(2000) * pulse(0.08, 0.08),
    "alarm": lambda: np.sign(sines(750)) * pulse(0.25, 0.25),
    "noise, bursts": lambda: noise() * pulse(0.125, 0.125),
    "noise, swells": lambda: noise() * swell(4),
    "narrow noise, swells": lambda: noise(300, 1200) * swell(4),
    "engine": lambda: held(80 + 20 * _wave(0.3), 30) + 0.3 * noise(),
    "engine, hum": lambda: held(50, 30, 0.8) + 0.1 * noise(),
    "motor": lambda: held(110, 25, 0.8) * swell(5, 0.8),
    "mains": lambda: held(100, 10, 0.7),
}


def made(name: str) -> Samples:
    """Returns one of ``NOT_SPEECH``, by its name."""
    audio = _MADE[name]()
    return np.round(audio * ((FULL - 1) / np.abs(audio).max())).astype(np.int16)


NOT_SPEECH: Final = tuple(_MADE)
"""Names of all that ``made`` makes."""
