"""Templates of OMRChecker become layouts: every bubble where the format puts it, or a word about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.commands.import_omrchecker import command
from edge.omrchecker import BUBBLE_MM, field_names, parse_template
from homework.errors import BadFileError
from homework.layout import layout_from_json


def template(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "pageDimensions": [800, 600],
        "bubbleDimensions": [20, 20],
        "customLabels": {"Roll": ["Medium", "roll1..3"], "q4": ["q4_1", "q4_2"]},
        "fieldBlocks": {
            "Medium": {
                "bubbleValues": ["E", "H"],
                "direction": "vertical",
                "fieldLabels": ["Medium"],
                "origin": [40, 60],
                "bubblesGap": 30,
                "labelsGap": 0,
            },
            "Roll": {
                "fieldType": "QTYPE_INT",
                "fieldLabels": ["roll1..3"],
                "origin": [80, 60],
                "bubblesGap": 30,
                "labelsGap": 40,
            },
            "Int": {
                "fieldType": "QTYPE_INT_FROM_1",
                "fieldLabels": ["q4_1", "q4_2"],
                "origin": [300, 60],
                "bubblesGap": 30,
                "labelsGap": 35.5,
            },
            "Mcq": {
                "fieldType": "QTYPE_MCQ4",
                "fieldLabels": ["q1..3", "q10"],
                "origin": [40, 420],
                "bubblesGap": 44,
                "labelsGap": 33,
            },
            "Five": {
                "fieldType": "QTYPE_MCQ5",
                "fieldLabels": ["q5"],
                "origin": [400, 420],
                "bubblesGap": 44,
                "labelsGap": 0,
                "bubbleDimensions": [30, 16],
            },
        },
        "preProcessors": [{"name": "CropPage", "options": {"morphKernel": [10, 10]}}],
    }
    made.update(changes)
    return made


def parsed(**changes: Any) -> Any:
    options = {key: changes.pop(key) for key in ("several", "seat") if key in changes}
    return parse_template(json.dumps(template(**changes)), **options)


def field(card: Any, item: str) -> Any:
    return next(f for f in card.layout.pages[0].fields if f.item == item)


def place(card: Any, item: str, nth: int) -> tuple[float, ...]:
    """A bubble's box in the template's pixels."""
    return tuple(round(v / (BUBBLE_MM / 20), 2) for v in field(card, item).bubbles[nth].box_mm)


def test_the_columns_are_those_of_the_output_in_its_order() -> None:
    card = parsed()
    assert card.columns == ("Roll", "q1", "q2", "q3", "q4", "q5", "q10")
    assert [f.item for f in card.layout.pages[0].fields] == list(card.columns)


def test_output_columns_choose_and_order() -> None:
    assert parsed(outputColumns=["q1..3", "Roll"]).columns == ("q1", "q2", "q3", "Roll")


def test_a_choice_runs_along_and_its_fields_follow_across() -> None:
    card = parsed()
    assert [b.label for b in field(card, "q2").bubbles] == ["A", "B", "C", "D"]
    assert place(card, "q1", 0) == (40, 420, 20, 20)
    assert place(card, "q1", 3) == (40 + 3 * 44, 420, 20, 20)
    assert place(card, "q10", 1) == (84, 420 + 3 * 33, 20, 20)


def test_digits_run_down_and_join_in_the_order_of_the_custom_label() -> None:
    card = parsed()
    roll = field(card, "Roll")
    assert roll.groups == (2, 10, 10, 10)
    assert [b.label for b in roll.columns()[0]] == ["E", "H"]
    assert place(card, "Roll", 2 + 10 + 4) == (120, 60 + 4 * 30, 20, 20)
    q4 = field(card, "q4")
    assert q4.kind == "number"
    assert [b.label for b in q4.columns()[1]] == list("1234567890")
    assert place(card, "q4", 10) == (335.5, 60, 20, 20)


def test_a_block_may_have_bubbles_of_another_size() -> None:
    assert place(parsed(), "q5", 4) == (400 + 4 * 44, 420, 30, 16)


def test_the_seat_number_can_be_a_column_and_is_no_item_then() -> None:
    card = parsed(customLabels={"Roll": ["roll1..3"]}, seat="Roll")
    pupil = card.layout.pages[0].pupil
    assert pupil.kind == "bubbles"
    assert [[b.label for b in column] for column in pupil.columns] == [list("0123456789")] * 3
    assert "Roll" not in [f.item for f in card.layout.pages[0].fields]


def test_several_marks_are_allowed_only_where_it_was_said() -> None:
    card = parsed(several=["q2"])
    assert (field(card, "q1").kind, field(card, "q2").kind) == ("choice", "choices")


def test_the_value_of_an_empty_column_is_the_nearest_that_was_given() -> None:
    blocks = template()["fieldBlocks"]
    blocks["Int"]["emptyValue"] = "x"
    card = parsed(fieldBlocks=blocks, emptyValue="-")
    assert field(card, "q4").empty == "x"
    assert field(card, "Roll").empty == "-"


def test_what_only_prepares_the_picture_is_passed_over() -> None:
    steps = [{"name": name, "options": {}} for name in ("GaussianBlur", "CropPage", "Levels", "MedianBlur")]
    card = parsed(preProcessors=steps)
    assert card.layout.register == "page-edge"
    assert card.passed_over == ("GaussianBlur", "Levels", "MedianBlur")


def test_a_card_that_lies_the_same_upside_down_is_told() -> None:
    block = {
        "fieldType": "QTYPE_MCQ5",
        "fieldLabels": ["q1..5"],
        "origin": [60, 60],
        "bubblesGap": 40,
        "labelsGap": 50,
    }
    assert parsed(fieldBlocks={"B": block}, customLabels={}).turns_alike
    assert not parsed().turns_alike


@pytest.mark.parametrize(
    ("text", "names"),
    [("q1..3", ["q1", "q2", "q3"]), ("roll9...11", ["roll9", "roll10", "roll11"]), ("q5_1", ["q5_1"])],
)
def test_runs_of_labels(text: str, names: list[str]) -> None:
    assert field_names(text) == names


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"pageDimensions": [800]}, "pageDimensions"),
        ({"pageDimensions": [400, 300]}, "outside pageDimensions"),
        ({"bubbleDimensions": ["a", 20]}, "bubbleDimensions"),
        ({"fieldBlocks": {}}, "fieldBlocks"),
        ({"customLabels": {"Roll": ["roll1..4"]}}, "roll4"),
        ({"customLabels": {"Roll": ["roll1"], "Other": ["roll1"]}}, "twice"),
        ({"outputColumns": ["nothing"]}, "nothing"),
        ({"preProcessors": [{"name": "CropOnMarkers", "options": {}}]}, "relativePath"),
        ({"preProcessors": [{"name": "CropOnLogo", "options": {}}]}, "CropOnLogo"),
        ({"several": ["q99"]}, "q99"),
        ({"seat": "q1"}, "q1"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(BadFileError, match=word):
        parsed(**changes)


@pytest.mark.parametrize("label", ["q5..2", "q..3", ".", "1..4"])
def test_no_run_is_guessed(label: str) -> None:
    with pytest.raises(BadFileError):
        field_names(label)


def test_no_block_may_ask_for_more_bubbles_than_a_page_has() -> None:
    with pytest.raises(BadFileError):
        field_names("q1..100000000")


def test_the_command_writes_a_layout_and_the_marker_beside_it(tmp_path: Path) -> None:
    marker = np.full((60, 60), 255, np.uint8)
    cv2.circle(marker, (30, 30), 20, 0, 6)
    cv2.imwrite(str(tmp_path / "m.jpg"), marker)
    steps = [{"name": "CropPage", "options": {}}, {"name": "CropOnMarkers", "options": {"relativePath": "m.jpg"}}]
    (tmp_path / "template.json").write_text(json.dumps(template(preProcessors=steps)), encoding="utf-8")
    output = tmp_path / "out" / "layout.json"
    done = CliRunner().invoke(command, [str(tmp_path / "template.json"), "-o", str(output)])
    assert done.exit_code == 0, done.output
    layout = layout_from_json(output.read_bytes())
    assert layout.register == "marker-image"
    assert layout.reference is not None
    kept = cv2.imread(str(output.parent / layout.reference), cv2.IMREAD_GRAYSCALE)
    assert kept is not None
    assert kept.shape == (60, 60)


def test_an_empty_card_that_is_named_gets_the_shape_of_the_page(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((640, 800), 255, np.uint8))
    steps = [{"name": "FeatureBasedAlignment", "options": {"reference": "blank.png"}}]
    (tmp_path / "template.json").write_text(json.dumps(template(preProcessors=steps)), encoding="utf-8")
    output = tmp_path / "layout.json"
    done = CliRunner().invoke(command, [str(tmp_path / "template.json"), "-o", str(output)])
    assert done.exit_code == 0, done.output
    layout = layout_from_json(output.read_bytes())
    assert layout.register == "print"
    kept = cv2.imread(str(output.parent / str(layout.reference)), cv2.IMREAD_GRAYSCALE)
    assert kept is not None
    assert kept.shape[1] / kept.shape[0] == pytest.approx(800 / 600, rel=0.005)


def test_a_picture_that_is_missing_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    steps = [{"name": "CropOnMarkers", "options": {"relativePath": "no.jpg"}}]
    (tmp_path / "template.json").write_text(json.dumps(template(preProcessors=steps)), encoding="utf-8")
    done = CliRunner().invoke(command, [str(tmp_path / "template.json"), "-o", str(tmp_path / "l.json")])
    assert isinstance(done.exception, BadFileError)
    assert not (tmp_path / "l.json").exists()
