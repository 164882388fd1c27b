"""Language catalogues (gettext), shared by both programs' pages and terminals.

Message ids are English. `ui/locale/<language>/classbox.po` holds the translations and is compiled in memory at
the first use, so that no binary catalogue is kept beside it.
"""

from __future__ import annotations

import gettext
import io
import os
from functools import cache
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("zh-CN", "en")
DEFAULT_LANGUAGE = "zh-CN"


@cache
def translator(language: str) -> gettext.NullTranslations:
    """The catalogue of `language`; English (the ids themselves) for any that we do not have."""
    if language not in LANGUAGES or language == "en":
        return gettext.NullTranslations()
    source = files("ui") / "locale" / language / "classbox.po"
    with source.open("rb") as lines:
        catalogue = read_po(lines, locale=language.replace("-", "_"))
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
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
