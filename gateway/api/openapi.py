"""The interface's own description (OpenAPI 3.1), made from the rooms and from the structs that are sent.

What is a room under `/api/` and says nothing of itself makes this fail: no operation can be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from gateway.access.deeds import Deed
from gateway.api.operations import JSON, ROOT, Body, Operation
from gateway.api.problems import LONGEST_PART, PROBLEM, Problem
from gateway.web.rooms import Room

OPENAPI: Final = "application/vnd.oai.openapi+json;version=3.1"
_REF: Final = "#/components/schemas/{name}"
_PART: Final = re.compile(r"\{(\w+)(?::[^{}]*)?\}")
_ID: Final = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$"}
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": LONGEST_PART}
_PARTS: Final[Mapping[str, dict[str, Any]]] = {
    "school": {"schema": _ID, "description": "A school's id."},
    "class_name": {"schema": _TEXT, "description": "A class; - for sheets whose class nobody knows."},
    "assignment": {"schema": _TEXT, "description": "The id of a piece of homework."},
    "pupil": {
        "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "description": "A pupil's pseudonym, as lists and exports give it.",
    },
    "hook": {"schema": {"type": "string", "pattern": "^[0-9]{1,18}$"}, "description": "The number of a hook."},
}
_PROBLEMS: Final[Mapping[int, str]] = {
    400: "The request cannot be taken.",
    401: "Nobody is named who asks, or the key is none or has ended.",
    403: "Whoever asks may not do this here.",
    404: "There is no such school, class or thing.",
    413: "The body is too large.",
    415: "The body is of another kind.",
    503: "The database does not answer; try again.",
}


def openapi_document(
    rooms: Iterable[Room], operations: Mapping[tuple[str, str], Operation], *, version: str
) -> dict[str, Any]:
    """The whole description. Raises `KeyError` for a room under `/api/` that is no operation."""
    here = [room for room in rooms if room.path.startswith("/api/")]
    told = [(room, operations[room.method, room.path]) for room in here]
    kinds = {kind for _, each in told for kind in _kinds(each)} | {Problem}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    by_kind = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for room, each in told:
        path = _PART.sub(r"{\1}", room.path)
        paths.setdefault(path, {"parameters": _parameters(path)})[room.method.lower()] = _told(room, each, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Classbox",
            "version": version,
            "description": "Homework of a school's classes: reports, class lists, exports. Every error is an "
            "application/problem+json with a remedy. Lists come in parts: `next` asks for the part after.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": _KEYS,
                }
            },
        },
    }


_KEYS = "A key of the school, or of the district for its figures; see docs/api.md."


def _kinds(each: Operation) -> Iterable[type[msgspec.Struct]]:
    return (body.kind for body in (each.takes, each.gives) if body is not None and body.kind is not None)


def _parameters(path: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, **_PARTS[name]} for name in re.findall(r"\{(\w+)\}", path)]


def _told(room: Room, each: Operation, schemas: Mapping[type, dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": each.name, "summary": each.summary, "tags": [_tag(room.path)]}
    if room.deed is Deed.OPEN:
        told["security"] = []
    else:
        told["description"] = f"Needs a key that is good for {room.deed.value}."
    if each.query is not None:
        told["parameters"] = list(_query(each.query))
    if each.takes is not None:
        told["requestBody"] = {"required": True, "content": _content(each.takes, schemas)}
    told["responses"] = _answers(each, schemas, open_to_all=room.deed is Deed.OPEN, has_parts="{" in room.path)
    return told


def _answers(
    each: Operation, schemas: Mapping[type, dict[str, Any]], *, open_to_all: bool, has_parts: bool
) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done."}
    if each.gives is not None:
        good["content"] = _content(each.gives, schemas)
    if each.conditional:
        good["headers"] = {
            "ETag": {
                "schema": {"type": "string"},
                "description": "Sent back in If-None-Match, it asks for changes only.",
            }
        }
    answers = {str(each.status): good}
    if each.conditional:
        answers["304"] = {"description": "The answer that is at hand is still right."}
    statuses = {503}
    if each.query is not None or each.takes is not None:
        statuses.add(400)
    if each.takes is not None:
        statuses |= {413, 415}
    if not open_to_all:
        statuses |= {401, 403}
    if has_parts:
        statuses.add(404)
    problem = {PROBLEM: {"schema": schemas[Problem]}}
    for status in sorted(statuses):
        answers[str(status)] = {"description": _PROBLEMS[status], "content": problem}
    answers["default"] = {"description": "Anything else that went wrong.", "content": problem}
    return answers


def _content(body: Body, schemas: Mapping[type, dict[str, Any]]) -> dict[str, Any]:
    # Bytes that are no JSON have no schema in OpenAPI 3.1.
    return {media: {"schema": schemas[body.kind]} if body.kind and media == JSON else {} for media in body.media}


def _query(kind: type[msgspec.Struct]) -> Iterable[dict[str, Any]]:
    (_, components) = msgspec.json.schema_components((kind,), ref_template=_REF)
    schema = components[kind.__name__]
    for name, about in schema["properties"].items():
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _without_null(about),
            **({"description": about["description"]} if "description" in about else {}),
        }


def _without_null(about: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not: there is no way to write null into an address."""
    told = {name: value for name, value in about.items() if name not in ("default", "description")}
    told |= {"default": about["default"]} if about.get("default") is not None else {}
    kinds = [one for one in told.pop("anyOf", []) if one != {"type": "null"}]
    return told | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})


def _tag(path: str) -> str:
    parts = [part for part in path.removeprefix(ROOT).split("/") if part and not part.startswith("{")]
    return parts[-1] if len(parts) > 1 else parts[0] if parts else "interface"
