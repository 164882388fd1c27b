"""The rooms in which people come in, and say who else may."""

from __future__ import annotations

from gateway.web.pages.login import add_login
from gateway.web.pages.me import add_me
from gateway.web.rooms import Rooms


def add_people_rooms(rooms: Rooms) -> None:
    """All of them."""
    add_login(rooms)
    add_me(rooms)
