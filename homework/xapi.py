"""Results as xAPI statements, for learning record stores. Pure.

ADL Experience API 1.0.3 (github.com/adlnet/xAPI-Spec): 2.4 statements, 2.4.2 actors by account, 2.4.4 interactions. An
actor is an account under the school's address with a pseudonym as its name: never a pupil's name.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote

import msgspec
from msgspec import field

VERSION: Final = "1.0.3"
COMPLETED: Final = "http://adlnet.gov/expapi/verbs/completed"
ANSWERED: Final = "http://adlnet.gov/expapi/verbs/answered"
ASSESSMENT: Final = "http://adlnet.gov/expapi/activities/assessment"
INTERACTION: Final = "http://adlnet.gov/expapi/activities/cmi.interaction"
_NAMES: Final = uuid.UUID("5f0f9d58-2a53-5d2b-9f0c-9a6a7a3c2f10")
_LANGUAGE: Final = "zh-CN"
InteractionType = Literal["choice", "fill-in", "true-false", "other"]
_INTERACTIONS: Final[Mapping[str, InteractionType]] = {"judge": "true-false", "open": "other"}


class _Xapi(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, rename="camel"):
    """As the standard writes it; what is not known is left out (null is not allowed, 2.2)."""


class Account(_Xapi, frozen=True, kw_only=True):
    """Somebody at a place that has its own accounts."""

    home_page: str
    name: str


class Actor(_Xapi, frozen=True, kw_only=True, tag_field="objectType", tag="Agent"):
    """Who did it."""

    account: Account


class Verb(_Xapi, frozen=True, kw_only=True):
    """What was done."""

    id: str
    display: dict[str, str]


class Definition(_Xapi, frozen=True, kw_only=True):
    """What an activity is."""

    type: str
    name: dict[str, str] | None = None
    description: dict[str, str] | None = None
    interaction_type: InteractionType | None = None


class Activity(_Xapi, frozen=True, kw_only=True, tag_field="objectType", tag="Activity"):
    """What it was done to."""

    id: str
    definition: Definition | None = None


class Score(_Xapi, frozen=True, kw_only=True):
    """Points; `scaled` is the share, 0..1."""

    raw: float
    min: float
    max: float
    scaled: float | None = None


class Result(_Xapi, frozen=True, kw_only=True):
    """What came of it."""

    score: Score | None = None
    success: bool | None = None
    completion: bool | None = None
    response: str | None = None


class ContextActivities(_Xapi, frozen=True, kw_only=True):
    """What the activity belongs to."""

    parent: tuple[Activity, ...] | None = None
    grouping: tuple[Activity, ...] | None = None


class Context(_Xapi, frozen=True, kw_only=True):
    """Where it was done."""

    context_activities: ContextActivities
    platform: str = field(default="")
    language: str = field(default="")


class Statement(_Xapi, frozen=True, kw_only=True):
    """One statement."""

    id: str | None = None
    actor: Actor
    verb: Verb
    object: Activity
    result: Result
    context: Context
    timestamp: str
    version: str | None = None


class Sheet(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What statements are made of: a pupil's sheet at a school whose address is `home` (an IRL without a slash)."""

    home: str
    pupil: str
    class_name: str
    assignment: str
    title: str
    attempt: int
    at_ms: int
    score: Score | None
    completed: bool


def about_sheet(sheet: Sheet) -> Statement:
    """That a pupil handed a sheet in, and what it was worth."""
    activity = Activity(
        id=_assignment(sheet), definition=Definition(type=ASSESSMENT, name={_LANGUAGE: sheet.title or sheet.assignment})
    )
    result = Result(score=sheet.score, completion=sheet.completed)
    return _named(
        sheet, Verb(id=COMPLETED, display={"en": "completed", _LANGUAGE: "完成"}), activity, result, parent=None
    )


def about_item(
    sheet: Sheet,
    item: str,
    *,
    kind: str,
    prompt: str,
    response: str | None,
    success: bool | None,
    score: Score | None,
) -> Statement:
    """What a pupil answered to an item. `kind` is its `FieldKind`; `response` None: nothing that could be read."""
    activity = Activity(
        id=f"{_assignment(sheet)}/items/{_quoted(item)}",
        definition=Definition(
            type=INTERACTION,
            interaction_type=_INTERACTIONS.get(kind, "fill-in"),
            description={_LANGUAGE: prompt} if prompt else None,
        ),
    )
    result = Result(score=score, success=success, response=response)
    verb = Verb(id=ANSWERED, display={"en": "answered", _LANGUAGE: "回答"})
    return _named(sheet, verb, activity, result, parent=Activity(id=_assignment(sheet)))


def _named(sheet: Sheet, verb: Verb, activity: Activity, result: Result, *, parent: Activity | None) -> Statement:
    """A statement under an id that is the same for the same content: a store refuses another one under it (2.4.1)."""
    statement = Statement(
        actor=Actor(account=Account(home_page=sheet.home, name=sheet.pupil)),
        verb=verb,
        object=activity,
        result=result,
        context=Context(
            context_activities=ContextActivities(
                parent=None if parent is None else (parent,),
                grouping=(Activity(id=f"{sheet.home}/classes/{_quoted(sheet.class_name or '-')}"),),
            ),
            platform="Classbox",
            language=_LANGUAGE,
        ),
        timestamp=datetime.fromtimestamp(sheet.at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
    )
    name = uuid.uuid5(_NAMES, f"{sheet.attempt} {msgspec.json.encode(statement).decode()}")
    return msgspec.structs.replace(statement, id=str(name), version=VERSION)


def _assignment(sheet: Sheet) -> str:
    return f"{sheet.home}/assignments/{_quoted(sheet.assignment)}"


def _quoted(text: str) -> str:
    return quote(text, "")
