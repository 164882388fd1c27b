"""Cuts crops of the fields that wait for a person's look, for the school: small, sealed, beside the sheets' way.

Whatever is in review and has no crop queued is found in the ledger, so that a kill loses none; a field that is settled
before its crop went out takes it back (`edge.ledger_crops`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.documents import Documents
from edge.frames import Image
from edge.ledger import FiledPage, Ledger
from edge.pictures import Pictures
from edge.reading.crops import surroundings_mm
from edge.web.drawing import small_crop
from homework.layout import Box, Page
from homework.results import Doubt, ItemResult
from sync.records import CropRecord, crop_place
from sync.sealing import seal

PAGES_AT_ONCE = 4
"""Pages of one look: to decode a picture takes a tenth of a second of a desktop core, and other jobs wait for it."""

MARGIN_MM = 2.0
"""Of paper round a field."""


class SchoolCrops:
    """Made once; `look` is for one thread."""

    def __init__(
        self,
        ledger: Ledger,
        documents: Documents,
        pictures: Pictures,
        *,
        school_key: bytes,
        wanted: Callable[[], bool],
        on_news: Callable[[], None],
    ) -> None:
        """`wanted` says whether the school can take crops now; `on_news` hears that some wait."""
        self._ledger, self._documents, self._pictures = ledger, documents, pictures
        self._school_key, self._wanted, self._on_news = school_key, wanted, on_news
        self._settled: str | None = None
        self._hopeless: set[tuple[int, int]] = set()

    def look(self, ending: Callable[[], bool]) -> None:
        """Queue the crops of a few pages, the oldest first. Looks at no page while nothing has changed."""
        mark = self._ledger.review_mark()
        if mark == self._settled or not self._wanted():
            return
        waiting = [(page, items) for page, items in self._ledger.without_crops() if _key(page) not in self._hopeless]
        queued = 0
        for page, items in waiting[:PAGES_AT_ONCE]:
            if ending():
                break
            queued += self._of_page(page, items)
        if len(waiting) <= PAGES_AT_ONCE:
            self._settled = mark  # what was said meanwhile has another mark
        if queued:
            self._on_news()

    def _of_page(self, page: FiledPage, items: Sequence[ItemResult]) -> int:
        image = self._pictures.image(page.digest)
        layout = self._documents.layout(page.record.sheet) if page.record is not None else None
        printed = layout.page(page.record.page) if layout is not None and page.record is not None else None
        if image is None or layout is None or printed is None or page.mm_to_px is None:
            self._hopeless.add(_key(page))
            return 0
        crops = [self._crop(page, item, image, printed, layout.page_mm) for item in items]
        return sum(self._ledger.queue_crop(page, crop) for crop in crops if crop is not None)

    def _crop(
        self, page: FiledPage, item: ItemResult, image: Image, printed: Page, page_mm: tuple[float, float]
    ) -> CropRecord | None:
        field = next((one for one in printed.fields if (one.item, one.blank) == (item.item, item.blank)), None)
        if field is None or page.mm_to_px is None:
            return None
        beside = item.reading.doubt is Doubt.INK_BESIDE
        box = surroundings_mm(field) if beside else _with_margin(field.hull_mm())
        picture = small_crop(image, page.mm_to_px, box, page_mm)
        capture = bytes.fromhex(page.digest)
        sealed = seal(self._school_key, picture, crop_place(capture, item.item, item.blank))
        return CropRecord(capture=capture, item=item.item, blank=item.blank, revision=page.revision, sealed=sealed)


def _with_margin(hull_mm: Box) -> Box:
    x, y, width, height = hull_mm
    return x - MARGIN_MM, y - MARGIN_MM, width + 2 * MARGIN_MM, height + 2 * MARGIN_MM


def _key(page: FiledPage) -> tuple[int, int]:
    return page.capture, page.revision
