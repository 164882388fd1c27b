"""What goes wrong in a simulated run, and how often."""

from __future__ import annotations

from typing import Final, NamedTuple


class Faults(NamedTuple):
    """Chances: of a message to be lost or doubled; of the rest in each half second, unless it says otherwise."""

    loss: float = 0.3
    double: float = 0.1
    delay_ms: float = 2_000.0
    """The longest that a message takes; so messages overtake one another."""
    broker_crash: float = 0.01
    """Of the broker to be killed and its disk wiped."""
    box_crash: float = 0.01
    """Of a box to be killed, between transactions or in one."""
    half_open: float = 0.0
    """Of a box's connection to die without a word; it takes up to a minute and a half to see that."""
    gateway_away: float = 0.0
    """Of the gateway to hear nothing for up to half a minute, while the broker acknowledges everything."""
    store_failure: float = 0.02
    """Of the gateway's database to fail, just before a commit and just after one."""
    store_full: float = 0.0
    """Of the gateway's disk to be full for up to half a minute."""
    card_failure: float = 0.0
    """Of a box's database to fail, just before a commit and just after one."""
    card_full: float = 0.0
    """Of a box's card to be full for up to half a minute."""
    clock_jump: float = 0.0
    """Of a box's wall clock to be set to any time between 1970 and 2100; after a start it may be unset."""
    backup: float = 0.05
    restore: float = 0.02
    """Of the gateway's store to be copied, and put back: half the time without anybody noticing."""
    card_backup: float = 0.0
    card_restore: float = 0.0
    """Of a box's card to be copied, and put back: half the time as an image that nobody told of it."""
    clone: float = 0.0
    """Of a card to be cloned, three copies at most; all of them go on."""
    held: float = 0.02
    """Of a capture to bring a record that the gateway cannot understand yet."""
    replay: float = 0.0
    """Of a message that was ever sent to come once more. The only fault that goes on to the end,
    ten times more seldom."""

    @property
    def copies_of_cards(self) -> bool:
        """Whether one number may be given to two records, by two copies of a card.

        Then a gateway that was put back has to know it: of an old store that passes for the newest nobody can tell
        what the other copy did (docs/delivery.md, what is not promised).
        """
        return self.clone > 0 or self.card_restore > 0


WORLDS: Final = {
    "a bad line": Faults(),
    "a terrible line and many restores": Faults(loss=0.6, double=0.3, delay_ms=8_000, restore=0.05),
    "doubled and overtaken": Faults(loss=0.1, double=0.7, delay_ms=90_000),
    "half-open lines": Faults(half_open=0.03, gateway_away=0.03),
    "killed again and again": Faults(box_crash=0.1, broker_crash=0.05, store_failure=0.3),
    "databases that fail at any commit": Faults(card_failure=0.1, store_failure=0.3),
    "full disks": Faults(card_full=0.05, store_full=0.05),
    "clocks that jump or were never set": Faults(clock_jump=0.2, broker_crash=0.0),
    "cloned cards": Faults(clone=0.02),
    "cloned cards that are seldom heard": Faults(clone=0.05, half_open=0.1, backup=0.1, restore=0.05),
    "cards put back": Faults(card_backup=0.05, card_restore=0.02, restore=0.0),
    "both sides put back": Faults(card_backup=0.05, card_restore=0.02, restore=0.03),
    "a broker that says again what was said long ago": Faults(restore=0.05, replay=0.5),
    "everything at once": Faults(
        half_open=0.01,
        gateway_away=0.01,
        store_full=0.01,
        card_failure=0.02,
        card_full=0.01,
        clock_jump=0.02,
        card_backup=0.02,
        card_restore=0.01,
        clone=0.01,
        replay=0.1,
    ),
}
"""The fault matrix. Each world with each seed is a run."""
