"""The rooms in which people come in, and say who else may."""

from __future__ import annotations

from gateway.web.pages.audit import add_audit
from gateway.web.pages.class_people import add_class_people
from gateway.web.pages.login import add_login
from gateway.web.pages.me import add_me
from gateway.web.pages.people import add_people
from gateway.web.pages.second_factor import add_second_factor
from gateway.web.rooms import Rooms


def add_people_rooms(rooms: Rooms) -> None:
    """All of them."""
    add_login(rooms)
    add_me(rooms)
    add_second_factor(rooms)
    add_people(rooms)
    add_class_people(rooms)
    add_audit(rooms)
    sign_on = rooms.access.sign_on
    if sign_on is not None:
        from gateway.web.pages.sign_on import add_sign_on  # noqa: PLC0415 - see gateway/access/doors.py

        add_sign_on(rooms, sign_on)
