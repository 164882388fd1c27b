"""What a form sent: its fields as text, its files as bytes."""

from __future__ import annotations

from aiohttp.web_request import FileField
from multidict import MultiDictProxy

Post = MultiDictProxy["str | bytes | bytearray | FileField"]


def sent_fields(post: Post) -> dict[str, str]:
    """The fields that are text; a text area's line ends as Python has them."""
    return {name: value.replace("\r\n", "\n") for name, value in post.items() if isinstance(value, str)}


def sent_file(post: Post, name: str) -> tuple[str, bytes]:
    """Name and bytes of a file; "" and nothing where the field was left empty."""
    found = next(iter(sent_files(post, name).items()), ("", b""))
    return found[0], found[1]


def sent_files(post: Post, name: str) -> dict[str, bytes]:
    """The files of one field by their names, without folders."""
    files = {}
    for value in post.getall(name, ()):
        if isinstance(value, FileField) and value.filename:
            last = value.filename.replace("\\", "/").rpartition("/")[2]
            files["".join(c if c.isprintable() else "_" for c in last)[-80:]] = value.file.read()
    return files
