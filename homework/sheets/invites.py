"""Invitations for a class, many to an A4 with lines to cut along: where to go, as a QR code and in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from homework.sheets.fonts import find_fonts
from homework.sheets.typeset import typeset


class InviteWords(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The words on an invitation. `{}` is where a value goes."""

    language: str
    region: str
    seat: str
    heading: str
    how: str
    login: str
    until: str
    keep: str


CHINESE_INVITES = InviteWords(
    language="zh",
    region="cn",
    seat="{} 号",
    heading="看作业结果",
    how="扫码，或在浏览器里打开下面的地址，设置密码。",
    login="登录名",
    until="{} 前有效，只能用一次。",
    keep="请不要转给别人：谁先用，谁就是账号的主人。",
)
ENGLISH_INVITES = InviteWords(
    language="en",
    region="gb",
    seat="No. {}",
    heading="See the homework results",
    how="Scan this, or open the address below in a browser, and choose a password.",
    login="Sign in as",
    until="Good once, until {}.",
    keep="Do not pass it on: whoever uses it first owns the account.",
)


class Invite(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One invitation. `name` is "" where it is not to be printed; `qr` the address as an SVG picture."""

    class_name: str
    seat: int
    name: str
    whose: str
    login: str
    address: str
    qr: str


def make_invites(
    invites: Sequence[Invite],
    *,
    until: str,
    words: InviteWords = CHINESE_INVITES,
    fonts: Sequence[Path] | None = None,
) -> bytes:
    """The PDF, two invitations to a row, in the order given. Nothing on it is smaller than 9 pt.

    `until` is the day up to which the links are good. Raises `ClassboxError` without a Chinese typeface.
    """
    book, families = find_fonts(fonts)
    data = {
        "words": msgspec.to_builtins(words),
        "until": words.until.replace("{}", until),
        "fonts": list(families),
        "invites": msgspec.to_builtins(list(invites)),
    }
    return typeset(data, book, template="invites.typ")
