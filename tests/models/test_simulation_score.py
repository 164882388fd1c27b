"""The judge of the simulated class is not fooled by what the box says of itself."""

from typing import Any

from models.simulation.score import misread, score_class


def truth(place: int, pupil: str, *texts: str | None) -> dict[str, Any]:
    fields = [
        {"item": str(n), "blank": 1, "kind": "open" if text is None else "number", "text": text, "how": "plain"}
        for n, text in enumerate(texts, 1)
    ]
    return {"place": place, "sheet": "S", "page": 1, "pupil": pupil, "fields": fields}


def page(at_ms: int, pupil: str | None, *said: tuple[str | None, str]) -> dict[str, Any]:
    items = [
        {"item": str(n), "blank": 1, "reading": reading, "verdict": verdict, "confidence": 0.9}
        for n, (reading, verdict) in enumerate(said, 1)
    ]
    return {"captured_at_ms": at_ms, "sheet": "S", "page": 1, "pupil": pupil, "items": items}


def test_a_field_is_right_asked_or_silently_wrong() -> None:
    figures = score_class(
        [truth(1, "a", "12", "13", "14", "", None)],
        [page(5, "a", ("12", "correct"), ("18", "correct"), (None, "review"), ("", "blank"), (None, "review"))],
    )
    assert figures["items"] == 4
    assert (figures["right"], figures["asked"], figures["silently_wrong"], figures["false_ticks"]) == (2, 1, 1, 1)
    assert figures["for_the_teacher"] == 1
    assert figures["kinds"] == [
        {"name": "number", "items": 4, "right": 2, "asked": 1, "silently_wrong": 1, "false_ticks": 1}
    ]


def test_a_blank_that_was_written_on_is_silently_wrong() -> None:
    assert score_class([truth(1, "a", "12")], [page(1, "a", ("", "blank"))])["silently_wrong"] == 1


def test_a_page_under_another_name_is_seen_even_when_every_pupil_is_named_once() -> None:
    truths = [truth(1, "a", "1", "2", "3"), truth(2, "b", "4", "5", "6")]
    swapped = [
        page(1, "b", ("1", "correct"), ("2", "correct"), ("3", "correct")),
        page(2, "a", ("4", "correct"), ("5", "correct"), ("6", "correct")),
    ]
    assert score_class(truths, swapped)["wrong_pupil"] == 2
    swapped[0]["pupil"] = None
    figures = score_class(truths, swapped)
    assert (figures["wrong_pupil"], figures["unnamed"]) == (1, 1)


def test_a_missed_sheet_does_not_shift_those_after_it() -> None:
    truths = [truth(n, f"p{n}", str(n), str(n * 7)) for n in range(1, 6)]
    pages = [page(n, f"p{n}", (str(n), "correct"), (str(n * 7), "wrong")) for n in (1, 2, 4, 5)]
    figures = score_class(truths, pages)
    assert (figures["matched"], figures["right"], figures["wrong_pupil"]) == (4, 8, 0)


def test_the_misread_fields_are_listed_for_a_look() -> None:
    rows = misread([truth(1, "a", "12", "13")], [page(1, "a", ("12", "correct"), ("18", "wrong"))])
    assert [(row["written"], row["read"]) for row in rows] == [("13", "18")]


def test_fields_that_only_a_person_can_judge_do_not_hinder_the_matching() -> None:
    truths = [truth(1, "a", "12", None), truth(2, "b", "13", None)]
    pages = [page(n, who, (text, "correct"), ("", "review")) for n, who, text in ((1, "a", "12"), (2, "b", "13"))]
    figures = score_class(truths, pages)
    assert (figures["right"], figures["for_the_teacher"], figures["wrong_pupil"]) == (2, 2, 0)
