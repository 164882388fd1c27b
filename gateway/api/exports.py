"""Exports: files that are sent while they are made, of what whoever asks may take out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from functools import partial
from typing import Annotated, Final, Literal, NamedTuple
from urllib.parse import quote

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.access.deeds import Deed
from gateway.access.rules import names_for
from gateway.api.operations import Answers, Api, Body, asked
from gateway.api.problems import NotAcceptedError
from gateway.exports.files import Sheets, csv_file, oneroster_zip, parquet_file, xapi_lines
from gateway.exports.rows import ANSWER_COLUMNS, NAMES, RESULT_COLUMNS, Cell, Column, answer_rows, result_rows
from gateway.exports.sheets import ClassSheets, Taker, Wish, archived_of, class_sheets
from gateway.store.archived import InArchiveError
from gateway.store.schools import school_ids
from gateway.web.found import attachment
from gateway.web.rooms import some_class
from ui.pages import SECURITY_HEADERS

_log = logging.getLogger(__name__)
CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"
ZIP: Final = "application/zip"
LINES: Final = "application/jsonl"
ARCHIVED_MONTHS: Final = "Archived-Months"
"""The header of a file that has not all that was asked for: some of it went into the archive of these months."""
_ARCHIVED: Final = web.RequestKey("archived", str)


class Span(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be taken out."""

    class_name: Annotated[str, Meta(min_length=1, max_length=64, description="Of this class alone.")] | None = (
        msgspec.field(name="class", default=None)
    )
    first: Annotated[date, Meta(description="Only homework whose latest sheet came on this day or later.")] | None = (
        None
    )
    last: Annotated[date, Meta(description="Only homework whose latest sheet came on this day or before.")] | None = (
        None
    )


class Table(Span, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be taken out as a table."""

    names: Annotated[
        Literal["no", "yes"], Meta(description="yes: with names and the school's own numbers; needs see-class too.")
    ] = "no"


def add_exports(api: Api) -> None:
    """Register the exports."""
    exports = _Exports(api)
    results, answers = _Rows("results", RESULT_COLUMNS, result_rows), _Rows("answers", ANSWER_COLUMNS, answer_rows)
    files: tuple[tuple[str, Answers, str, str, str, type[Span]], ...] = (
        ("results.csv", exports.csv_of(results), "resultsCsv", "A line for each pupil's sheet", CSV, Table),
        ("results.parquet", exports.parquet_of(results), "resultsParquet", "The same for analysts", PARQUET, Table),
        ("answers.csv", exports.csv_of(answers), "answersCsv", "A line for each answer", CSV, Table),
        ("answers.parquet", exports.parquet_of(answers), "answersParquet", "The same for analysts", PARQUET, Table),
        (
            "oneroster.zip",
            exports.oneroster,
            "oneroster",
            "Results for school registers (needs see-class, too)",
            ZIP,
            Span,
        ),
        ("xapi.jsonl", exports.xapi, "xapi", "Statements for a learning record store", LINES, Span),
    )
    for path, gives, name, summary, media, query in files:
        api.add(
            "GET",
            f"/schools/{{school}}/exports/{path}",
            gives,
            name=name,
            summary=summary,
            deed=Deed.EXPORT,
            thing=some_class,
            query=query,
            gives=Body((media,)),
        )


class _Rows(NamedTuple):
    """A kind of rows, and what its file is called."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[..., Iterator[tuple[Cell, ...]]]


class _Exports:
    def __init__(self, api: Api) -> None:
        self._rooms = api.rooms
        self._store = api.rooms.store

    def csv_of(self, kind: _Rows) -> Answers:
        """Gives rows as CSV."""

        async def answers(request: web.Request) -> web.StreamResponse:
            sheets, columns, rows = await self._table(request, kind)
            return await _sent(request, csv_file(sheets, columns, rows), CSV, f"{kind.name}.csv", compress=True)

        return answers

    def parquet_of(self, kind: _Rows) -> Answers:
        """Gives rows as Parquet."""

        async def answers(request: web.Request) -> web.StreamResponse:
            sheets, columns, rows = await self._table(request, kind)
            try:
                return await _sent(request, parquet_file(sheets, columns, rows), PARQUET, f"{kind.name}.parquet")
            except ImportError as error:
                raise NotAcceptedError(
                    "This gateway writes no Parquet.",
                    remedy="Take the CSV, or install the extra: pip install 'classbox[district]'.",
                    status=501,
                ) from error

        return answers

    async def oneroster(self, request: web.Request) -> web.StreamResponse:
        """Without names, but with the school's own numbers of its pupils, which are as good as names to the school."""
        self._require_names(request)
        school, sheets = await self._sheets(request, asked(request, Span))
        return await _sent(request, oneroster_zip(sheets, system="Classbox", code=school), ZIP, "oneroster.zip")

    async def xapi(self, request: web.Request) -> web.StreamResponse:
        """Without names: a pupil is an account of the school whose name is the pseudonym."""
        school, sheets = await self._sheets(request, asked(request, Span))
        home = f"{request.scheme}://{request.host}/schools/{quote(school, '')}"
        return await _sent(request, xapi_lines(sheets, home), LINES, "xapi.jsonl", compress=True)

    async def _table(
        self, request: web.Request, kind: _Rows
    ) -> tuple[Sheets, tuple[Column, ...], Callable[[ClassSheets], Iterator[tuple[Cell, ...]]]]:
        wish = asked(request, Table)
        named = wish.names == "yes"
        if named:
            self._require_names(request)
        _, sheets = await self._sheets(request, wish)
        return sheets, (*kind.columns, *(NAMES if named else ())), partial(kind.rows, names=named)

    def _require_names(self, request: web.Request) -> None:
        """Raises `NotAcceptedError` for who may not read the names of the school's pupils."""
        person, now_ms = self._rooms.person(request), self._rooms.access.now_ms()
        if not names_for(person, request.match_info["school"], now_ms).everybody:
            raise NotAcceptedError(
                "The file would say who the pupils are, which this key may not read.",
                remedy="Take a key that is good for see-class, too.",
                status=403,
            )

    async def _sheets(self, request: web.Request, span: Span) -> tuple[str, Sheets]:
        """The school, and what is to be taken out of it. Raises `HTTPNotFound`, and `InArchiveError` for an empty file.

        A file that would have more if nothing of it were archived says so in a header, which `_sent` takes along.
        """
        school = request.match_info["school"]
        wish = Wish(class_name=span.class_name, first=span.first, last=span.last)
        async with self._store.reading() as connection:
            if school not in await school_ids(connection):
                raise web.HTTPNotFound
            archived, all_of_it = await archived_of(connection, school, wish)
        if all_of_it:
            raise InArchiveError(
                "All of it went into the archive: {months}.",
                remedy="Ask whoever keeps the archive for the months' files, or name later days.",
                months=", ".join(map(str, archived)),
            )
        if archived:
            request[_ARCHIVED] = " ".join(map(str, archived))
        taker = Taker(self._rooms.person(request), self._rooms.access.now_ms())
        return school, partial(class_sheets, self._store, taker, school, wish)


async def _sent(
    request: web.Request, pieces: AsyncIterator[bytes], media: str, name: str, *, compress: bool = False
) -> web.StreamResponse:
    """Send a file while it is made. What breaks before the first piece is an error as any; after it, the line ends."""
    first = await anext(pieces, b"")
    stem, _, ending = name.rpartition(".")
    response = web.StreamResponse(
        headers={**SECURITY_HEADERS, "Content-Type": media, "Content-Disposition": attachment(stem, ending)}
    )
    if _ARCHIVED in request:
        response.headers[ARCHIVED_MONTHS] = request[_ARCHIVED]
    if compress:
        response.enable_compression()
    await response.prepare(request)
    try:
        await response.write(first)
        async for piece in pieces:
            if piece:
                await response.write(piece)
        await response.write_eof()
    except ConnectionError:  # whoever asked has gone
        raise
    except Exception:  # noqa: BLE001 - whatever it was, the answer has begun
        # Nobody may take half a file for a whole one: the last chunk never comes.
        _log.exception("an export ended early")
        if request.transport is not None:
            request.transport.abort()
    return response
