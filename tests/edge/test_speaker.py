"""The box's own loudspeaker, with a player on the PATH that writes down what it is asked to play."""

import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.speaker import Speaker
from edge.tones import NOTES_HZ, Tone
from homework.errors import ClassboxError


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts an `aplay` on the PATH whose second line is given; returns where it writes what it was called with."""

    def put(then: str = "true") -> Path:
        played = tmp_path / "played.txt"
        program = tmp_path / "bin" / "aplay"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$@" >> {played}\n{then}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        played.touch()
        return played

    return put


class Troubles(list[ClassboxError | None]):
    def __call__(self, error: ClassboxError | None) -> None:
        self.append(error)


def until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def names(played: Path) -> list[str]:
    return [Path(line.split()[-1]).stem for line in played.read_text().splitlines()]


def test_every_tone_is_a_file_of_its_own_that_is_over_in_300_ms(player: Callable[..., Path]) -> None:
    player()
    speaker = Speaker(on_trouble=Troubles())
    heard: dict[bytes, Tone] = {}
    for tone in Tone:
        with wave.open(str(speaker.file_of(tone))) as file:
            assert 0.1 < file.getnframes() / file.getframerate() < 0.3
            sound = file.readframes(file.getnframes())
        samples = np.frombuffer(sound, "<i2").astype(float)
        assert 8000 < np.abs(samples).max() < 32767
        first = samples[: round(0.13 * 44100)]
        strongest = np.abs(np.fft.rfft(first)).argmax() * 44100 / len(first)
        assert abs(strongest - NOTES_HZ[tone][0]) < 10
        heard[sound] = tone
    assert len(heard) == len(Tone) == 6
    speaker.close()
    assert not speaker.file_of(Tone.GRADED).exists()


def test_the_right_file_is_played(player: Callable[..., Path]) -> None:
    played = player()
    troubles = Troubles()
    speaker = Speaker(on_trouble=troubles)
    for tone in Tone:
        before = len(names(played))
        speaker.play(tone)
        until(lambda before=before: len(names(played)) > before)
        assert names(played)[-1] == tone.value
    speaker.close()
    assert troubles == []


def test_a_sound_never_waits_behind_older_ones(player: Callable[..., Path]) -> None:
    played = player("exec sleep 1")
    speaker = Speaker(on_trouble=Troubles())
    speaker.play(Tone.GRADED)
    until(lambda: names(played))
    began = time.monotonic()
    for _ in range(20):
        speaker.play(Tone.ASK)
    speaker.play(Tone.WRONG)
    until(lambda: names(played)[-1:] == ["wrong"])
    assert time.monotonic() - began < 0.7
    assert len(names(played)) < 10
    speaker.close()


def test_a_box_without_a_player_says_so_once_and_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    troubles = Troubles()
    speaker = Speaker(on_trouble=troubles)
    for tone in (Tone.GRADED, Tone.ASK, Tone.GRADED):
        speaker.play(tone)
        time.sleep(0.05)
    until(lambda: troubles)
    assert [str(error) for error in troubles] == [str(troubles[0])]
    assert "aplay" in troubles[0].remedy if troubles[0] is not None else False
    speaker.close()


def test_a_player_that_fails_or_hangs_is_said_once_and_taken_back_when_it_plays_again(
    player: Callable[..., Path],
) -> None:
    played = player("exit 1")
    troubles = Troubles()
    speaker = Speaker(on_trouble=troubles)
    for count in (1, 2):
        speaker.play(Tone.GRADED)
        until(lambda count=count: len(names(played)) == count)
        time.sleep(0.1)
    until(lambda: len(troubles) == 1)
    player("exec sleep 60")
    speaker.play(Tone.ASK)
    until(lambda: len(names(played)) == 3)
    time.sleep(2.2)
    assert len(troubles) == 1
    player()
    speaker.play(Tone.ASK)
    until(lambda: len(troubles) == 2)
    assert troubles[1] is None
    speaker.close()
