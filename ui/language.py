"""Language catalogues (gettext), shared by both programs' pages and terminals.

Message ids are English. The files `ui/locale/<language>/*.po` hold the translations, a file for each part of the
house; they are compiled in memory at the first use, so that no binary catalogue is kept beside them.
"""

from __future__ import annotations

import gettext
import io
import os
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("zh-CN", "en")
DEFAULT_LANGUAGE = "zh-CN"


def catalogue(language: str) -> Catalog:
    """All that is translated into `language`. Whatever stands in two files says the same in both (a test looks)."""
    whole = Catalog(locale=language.replace("-", "_"))
    for part in catalogue_files(language):
        with part.open("rb") as lines:
            for message in read_po(lines, locale=language.replace("-", "_")):
                if message.id:
                    whole[message.id] = message
    return whole


def catalogue_files(language: str) -> list[Traversable]:
    """The catalogues of a language, in order of their names."""
    folder = files("ui") / "locale" / language
    return sorted((file for file in folder.iterdir() if file.name.endswith(".po")), key=lambda file: file.name)


@cache
def translator(language: str) -> gettext.NullTranslations:
    """The catalogue of `language`; English (the ids themselves) for any that we do not have."""
    if language not in LANGUAGES or language == "en":
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def choose_language(*wishes: str | None) -> str:
    """The first wish that we speak (a query parameter, a cookie, an Accept-Language header), else the default."""
    for wish in wishes:
        for part in (wish or "").split(","):
            tag = part.split(";")[0].strip().lower().replace("_", "-")
            if tag.startswith("zh"):
                return "zh-CN"
            if tag.startswith("en"):
                return "en"
    return DEFAULT_LANGUAGE


def terminal_language() -> str:
    """The language of the terminal, from `CLASSBOX_LANG` or the locale; English for C and POSIX."""
    wish = os.environ.get("CLASSBOX_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "zh-CN" if wish.lower().startswith("zh") else "en"
