"""Dictionaries for zstd (RFC 8878, section 5): what small envelopes share with those of every other class.

A single sheet has nothing before it to be compared with; the dictionary is that. It is used only towards a gateway that
has greeted with its id. A file is never changed: another one gets another id, and the old ones stay readable.
`sync.simulation.training` made them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import zstandard

NEWEST_ID: Final = 51_714
"""Between 32,768 and 65,535, which a frame says in two bytes and which nobody registers."""
IDS: Final = (NEWEST_ID,)
"""The dictionaries that are read here, the one to be used first."""


def file_of(dictionary: int) -> Path:
    """Where a dictionary's bytes lie."""
    return Path(__file__).parent / f"dictionary-{dictionary}.zstd"


LEVEL: Final = 19
"""zstd's level for what is packed with a dictionary."""


@cache
def dictionary_of(dictionary: int) -> zstandard.ZstdCompressionDict:
    """A dictionary of `IDS`, made ready for packing, so that a single sheet costs no more time than without."""
    ready = zstandard.ZstdCompressionDict(file_of(dictionary).read_bytes())
    ready.precompute_compress(level=LEVEL)
    return ready
