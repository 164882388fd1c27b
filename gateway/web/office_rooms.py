"""The rooms of a school's office: what comes in (class lists, homework), and how boxes and their records fare."""

from __future__ import annotations

from gateway.web.pages.boxes import add_boxes
from gateway.web.pages.forget import add_forgetting
from gateway.web.pages.held import add_held
from gateway.web.pages.homework import add_homework
from gateway.web.pages.rosters import add_rosters
from gateway.web.rooms import Rooms


def add_office_rooms(rooms: Rooms) -> None:
    """All of them."""
    add_rosters(rooms)
    add_homework(rooms)
    add_boxes(rooms)
    add_held(rooms)
    add_forgetting(rooms)
