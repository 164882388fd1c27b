"""People of a gateway in a real database, with passwords that cost little and a clock that stands still."""

from dataclasses import dataclass

import pytest
from argon2 import PasswordHasher

from gateway.access.access import Access
from gateway.access.passwords import Passwords
from gateway.access.rules import HOUR_MS
from gateway.store.store import Store

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GOOD = "correct horse battery"


@dataclass
class Clock:
    now_ms: int = 1_796_000_000_000

    def __call__(self) -> int:
        return self.now_ms

    def pass_ms(self, elapsed_ms: int) -> None:
        self.now_ms += elapsed_ms

    def pass_hours(self, hours: float) -> None:
        self.now_ms += int(hours * HOUR_MS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(store: Store, clock: Clock) -> Access:
    return Access(store, passwords=Passwords(QUICK), now_ms=clock)
