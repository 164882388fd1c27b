"""How a school wants its reports: what it last told all of its boxes."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.schools import down_log
from homework.report_settings import ReportSettings, settings_from_json
from sync.down_bodies import unpacked


async def report_settings(connection: AsyncConnection, school: str) -> ReportSettings:
    """The school's settings; the usual ones where it never said any."""
    packed = (await connection.execute(_NEWEST, {"school": school})).scalar_one_or_none()
    return _settings(None if packed is None else bytes(packed))


@lru_cache(maxsize=256)
def _settings(packed: bytes | None) -> ReportSettings:
    return settings_from_json(None if packed is None else unpacked(packed).decode())


_NEWEST = (
    select(down_log.c.packed)
    .where(
        down_log.c.school_id == bindparam("school"),
        down_log.c.kind == "setting",
        down_log.c.key == "report",
        down_log.c.packed.is_not(None),
    )
    .order_by(down_log.c.place.desc())
    .limit(1)
)
