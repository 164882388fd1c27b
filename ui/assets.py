"""Style sheets, scripts and pictures of the pages: small, sent compressed, and kept by browsers until they change.

An address carries the digest of what is behind it, so a browser asks for a file once and for a changed one at once.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

SHARED: Final = Path(str(files("ui"))) / "static"
_A_YEAR: Final = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    """A file: its bytes, the same packed (None where that is no smaller), its type and its digest in hex."""

    body: bytes
    packed: bytes | None
    kind: str
    digest: str


@cache
def asset(folder: Path, name: str) -> Asset | None:
    """A file right in a folder; None where there is none. Read once, for as long as the program runs."""
    path = folder / name
    if "/" in name or "\\" in name or "\0" in name or name.startswith(".") or not path.is_file():
        return None
    body = path.read_bytes()
    packed = gzip.compress(body, 9, mtime=0)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(body, packed if len(packed) < len(body) else None, kind, hashlib.sha256(body).hexdigest()[:8])


def address_in(folder: Path, prefix: str, name: str) -> str:
    """The address of a file with its digest. Raises `FileNotFoundError`: a page names a file that is not there."""
    found = asset(folder, name)
    if found is None:
        raise FileNotFoundError(folder / name)
    return f"{prefix}/{name}?{found.digest}"


def served_from(folder: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler for the files of a folder, by `{name}` of the route."""

    async def handler(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        found = asset(folder, name) if len(name) < _LONGEST else None
        if found is None:
            raise web.HTTPNotFound
        tag = f'"{found.digest}"'
        headers = {
            "ETag": tag,
            "Vary": "Accept-Encoding",
            "Cache-Control": _A_YEAR if request.query_string == found.digest else "no-cache",
        }
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        body = found.body
        if found.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = found.packed
            headers["Content-Encoding"] = "gzip"
        text = found.kind.startswith("text/") or found.kind.endswith(("javascript", "xml"))
        kind = f"{found.kind}; charset=utf-8" if text else found.kind
        return web.Response(body=body, headers={**headers, "Content-Type": kind})

    return handler


_LONGEST: Final = 100
