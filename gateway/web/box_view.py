"""What the pages of boxes and of held records show, in the reader's words: plain values for the templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.boxes import BoxFacts
from gateway.held import Held
from gateway.held_words import decision_words, held_words, what_is_held
from gateway.web.roster_view import moment
from homework.wording import Translate, counted
from sync.clock import ClockQuality

_DAY_MS = 86_400_000
_QUIET_AFTER_MS = 3 * _DAY_MS
"""A weekend is no reason to look."""
_LITTLE_MB = 2048


class BoxView(NamedTuple):
    """A box. `state` is `right`, `ask` (somebody should look) or `blank` (never heard)."""

    name: str
    state: str
    headline: str
    lines: tuple[tuple[str, str], ...]
    """What is said, and how it is: `right`, `ask` or ""."""
    held: bool
    """Something of it waits for a decision."""
    never: bool
    locked_out: bool


class HeldView(NamedTuple):
    """A record that waits, or was decided. `key` names it in the form."""

    key: str
    short: str
    box: str
    what: str
    when: str
    why: str
    remedy: str
    decision: str
    detail: str
    """What the program said of it, in its own English; "" where all is said."""


def box_views(found: Sequence[BoxFacts], now_ms: int, _: Translate) -> list[BoxView]:
    """Those that somebody should look at first."""
    views = [_box_view(one, now_ms, _) for one in found]
    order = {"ask": 0, "blank": 1, "right": 2}
    return sorted(views, key=lambda view: (order[view.state], view.name))


def ago(then_ms: int, now_ms: int, _: Translate) -> str:
    """How long ago, as one would say it."""
    minutes = max(0, now_ms - then_ms) // 60_000
    if minutes < 2:
        return _("just now")
    if minutes < 120:
        return counted(_, minutes, "{n} minute ago", "{n} minutes ago")
    if minutes < 48 * 60:
        return counted(_, minutes // 60, "{n} hour ago", "{n} hours ago")
    return counted(_, minutes // (24 * 60), "{n} day ago", "{n} days ago")


def held_views(found: Sequence[Held], _: Translate) -> list[HeldView]:
    """Records as a person sees them."""
    views = []
    for one in found:
        words = held_words(one.reason, one.kind, _)
        name = one.digest.hex()
        views.append(
            HeldView(
                key=name,
                short=name[:12],
                box=one.lane.box,
                what=what_is_held(one.lane.lane, one.seq, one.size, _),
                when=moment(one.received_ms),
                why=words.why,
                remedy=words.remedy,
                decision=decision_words(one.decision, _),
                detail=words.detail,
            )
        )
    return views


def _box_view(one: BoxFacts, now_ms: int, _: Translate) -> BoxView:
    lines: list[tuple[str, str]] = []
    if one.locked_out:
        lines.append((_("Locked out: nothing that it sends is taken."), "ask"))
    if one.health is not None:
        lines += _health_lines(one, _)
    if one.documents is not None:
        behind, refused = one.documents
        lines.append((_("{n} documents behind").format(n=behind), "ask") if behind else (_("has every document"), ""))
        if refused:
            lines.append((_("{n} documents it cannot use").format(n=refused), "ask"))
    if one.held.waiting:
        lines.append((_("{n} records wait for a decision").format(n=one.held.waiting), "ask"))
    if one.held.copies:
        lines.append(
            (_("{n} records are others than here: its card was copied or put back").format(n=one.held.copies), "ask")
        )
    if one.heard_ms is None:
        state, headline = "blank", _("never heard")
    else:
        headline = _("heard {ago}").format(ago=ago(one.heard_ms, now_ms, _))
        late = now_ms - one.heard_ms > _QUIET_AFTER_MS
        state = "ask" if late or any(how == "ask" for _words, how in lines) else "right"
    return BoxView(one.box, state, headline, tuple(lines), any(one.held), one.heard_ms is None, one.locked_out)


def _health_lines(one: BoxFacts, _: Translate) -> list[tuple[str, str]]:
    health = one.health
    assert health is not None
    waiting = counted(_, health.waiting, "{n} record waits on it", "{n} records wait on it")
    lines = [(waiting, "") if health.waiting else (_("nothing waits on it"), "")]
    clocks = {
        ClockQuality.UNSET: (_("its clock was not set"), "ask"),
        ClockQuality.RESTORED: (_("its clock is from the card and may be late"), "ask"),
        ClockQuality.SYNCED: (_("its clock is right"), ""),
    }
    lines.append(clocks[health.clock.quality])
    little = health.free_mb < _LITTLE_MB
    lines.append((_("{gb} GB free").format(gb=f"{health.free_mb / 1024:.1f}"), "ask" if little else ""))
    if health.temperature_c is not None:
        lines.append((f"{health.temperature_c} °C", ""))
    lines.append((_("version {version}").format(version=health.software), ""))
    return lines
