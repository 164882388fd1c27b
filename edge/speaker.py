"""The box's own loudspeaker: one sound a sheet, through the system's player.

A sound belongs to the sheet that lies there now: a newer one cuts an older one off, and nothing ever waits in a
queue. A box without a player, a sound card or a file goes on in silence, and says so once.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import threading
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge.tones import NOTE_S, NOTE_STEP_S, NOTES_HZ, Tone
from homework.errors import ClassboxError

log = logging.getLogger(__name__)
_RATE_HZ = 44_100
_VOLUME = 0.5
_RISE_S, _FALL_S = 0.01, 0.05
_LONGEST_S = 2.0
"""A player that still runs after this hangs: a sound card that was pulled out."""
PLAYERS: tuple[tuple[str, ...], ...] = (("aplay", "-q"), ("pw-play",), ("paplay",))
"""What plays a WAV file on Linux: ALSA's (alsa-utils, on every Raspberry Pi OS), PipeWire's, PulseAudio's."""


def find_player() -> Sequence[str] | None:
    """The first player that is installed, with its options."""
    return next((player for player in PLAYERS if shutil.which(player[0]) is not None), None)


def write_tone(path: Path, notes_hz: Sequence[int]) -> None:
    """A WAV file (16 bit, mono, 44.1 kHz) of notes that follow each other, each fading in and out without a click."""
    seconds = NOTE_STEP_S * (len(notes_hz) - 1) + NOTE_S
    sound = np.zeros(round(seconds * _RATE_HZ), np.float64)
    at_s = np.arange(round(NOTE_S * _RATE_HZ)) / _RATE_HZ
    shape = np.minimum(1.0, np.minimum(at_s / _RISE_S, (NOTE_S - at_s) / _FALL_S))
    for place, frequency in enumerate(notes_hz):
        start = round(place * NOTE_STEP_S * _RATE_HZ)
        note = np.sin(2 * np.pi * frequency * at_s) * shape
        if frequency < 300:  # small loudspeakers hardly give a low note: its octave makes it heard
            note = 0.7 * note + 0.3 * np.sin(4 * np.pi * frequency * at_s) * shape
        sound[start : start + len(note)] += note
    samples = np.clip(sound * _VOLUME * 32767, -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes(samples.tobytes())


class Speaker:
    """Plays tones on a thread of its own. `on_trouble` hears once when that does not work, and None once it does."""

    def __init__(self, *, on_trouble: Callable[[ClassboxError | None], None]) -> None:
        self._on_trouble = on_trouble
        self._player = find_player()
        self._sounds = TemporaryDirectory(prefix="classbox-sounds-")
        self._wanted: Tone | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._told = False
        for tone, notes in NOTES_HZ.items():
            write_tone(self.file_of(tone), notes)
        self._thread = threading.Thread(target=self._work, name="speaker", daemon=True)
        self._thread.start()

    def file_of(self, tone: Tone) -> Path:
        """The WAV file of a tone."""
        return Path(self._sounds.name) / f"{tone.value}.wav"

    def play(self, tone: Tone) -> None:
        """Sound a tone now, instead of any that has not begun or sounds still. Returns at once; any thread may call."""
        with self._changed:
            self._wanted = tone
            self._changed.notify()

    def close(self) -> None:
        """Be silent and end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5)
        self._sounds.cleanup()

    def _work(self) -> None:
        while (tone := self._next()) is not None:
            if self._player is None:
                self._tell("No player for sounds is installed.")
                continue
            try:
                player = subprocess.Popen(  # noqa: S603
                    [*self._player, str(self.file_of(tone))],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                log.warning("the sound could not be played: %s", error)
                self._tell("The box's loudspeaker cannot be used.")
                continue
            if not self._sounded(player):
                self._tell("The box's loudspeaker cannot be used.")
            elif self._told:
                self._told = False
                self._on_trouble(None)

    def _next(self) -> Tone | None:
        """The tone that is wanted now; waits for one. None: the box ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._wanted is not None)
            tone, self._wanted = self._wanted, None
            return None if self._closed else tone

    def _sounded(self, player: subprocess.Popen[bytes]) -> bool:
        """Wait for the sound's end, or cut it off when another one is wanted. False: it failed, or hung."""
        for _ in range(round(_LONGEST_S / 0.02)):
            with self._changed:
                if self._closed or self._wanted is not None:
                    _end(player)
                    return True
            with contextlib.suppress(subprocess.TimeoutExpired):
                return player.wait(timeout=0.02) == 0
        _end(player)
        return False

    def _tell(self, message: str) -> None:
        if not self._told:
            self._told = True
            self._on_trouble(
                ClassboxError(
                    message, remedy="Install alsa-utils and try `aplay`, or set speaker = false under [sound]."
                )
            )


def _end(player: subprocess.Popen[bytes]) -> None:
    player.kill()
    player.wait()
