from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import models
from models.manifest import VERSION, ModelError, read_manifest
from models.recognisers import KINDS, Recognisers

SHIPPED = Path(models.__file__).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in [*SHIPPED.glob("*.tflite"), SHIPPED / "manifest.json"]:
        shutil.copy(path, tmp_path)
    return tmp_path


def test_the_shipped_models_are_those_of_the_manifest():
    Recognisers.load()


def test_a_model_file_with_one_changed_bit_is_refused_with_the_remedy(copy: Path):
    victim = copy / "line.tflite"
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    with pytest.raises(ModelError, match="not the one that was measured") as caught:
        Recognisers.load(copy)
    assert "git checkout -- models" in caught.value.remedy


def test_a_missing_model_file_is_named(copy: Path):
    (copy / "marks.tflite").unlink()
    with pytest.raises(ModelError, match=r"marks\.tflite"):
        Recognisers.load(copy)


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1}', b"[]", b"\xff\xfe"])
def test_a_damaged_manifest_is_one_line_and_a_remedy(copy: Path, content: bytes):
    (copy / "manifest.json").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Recognisers.load(copy)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_a_manifest_of_another_version_is_refused(copy: Path):
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace(f'"version": {VERSION}', f'"version": {VERSION + 1}'))
    with pytest.raises(ModelError, match=f"version {VERSION + 1}"):
        Recognisers.load(copy)


def test_a_manifest_that_names_a_model_it_does_not_have_is_refused(copy: Path):
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"model": "marks"', '"model": "remarks"'))
    with pytest.raises(ModelError, match="names no file"):
        Recognisers.load(copy)


def test_every_kind_has_a_head_within_its_model_and_every_model_names_its_sources():
    manifest = read_manifest(SHIPPED)
    assert set(manifest.heads) == set(KINDS)
    for head in manifest.heads.values():
        assert 0.5 <= head.threshold < 1
        assert 0.2 < head.temperature < 5
        assert len(set(head.symbols)) == len(head.symbols)
    assert all(source.licence for model in manifest.models.values() for source in model.sources)


def test_the_models_together_weigh_less_than_two_megabytes():
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.tflite")) <= 2_000_000
