from __future__ import annotations

import numpy as np
import pytest

from models.manifest import ModelError
from models.preprocess import LINE_WIDTHS_PX
from models.recognisers import Recognisers
from models.runtime import Network, open_network


@pytest.fixture(scope="module")
def recognisers() -> Recognisers:
    return Recognisers.load()


def content(recognisers: Recognisers, name: str) -> tuple[bytes, tuple[int, int, int, int]]:
    model = recognisers.manifest.models[name]
    return (recognisers.directory / model.file).read_bytes(), model.input_shape


@pytest.mark.parametrize("name", ["line", "marks"])
def test_a_network_answers_with_one_logit_for_every_symbol(recognisers: Recognisers, name: str):
    network = open_network(*content(recognisers, name))
    height, width = content(recognisers, name)[1][1:3]
    logits = network(np.zeros((height, width), np.uint8))
    heads = [head for head in recognisers.manifest.heads.values() if name == head.model]
    symbols = sum(len(head.symbols) for head in heads)
    assert logits.shape[-1] == (symbols if name == "marks" else symbols + 1)
    assert np.isfinite(logits).all()


def test_the_network_of_lines_reads_every_width_and_the_empty_end_of_a_line_changes_little(recognisers: Recognisers):
    network = open_network(*content(recognisers, "line"))
    picture = np.zeros((32, 256), np.uint8)
    picture[6:26, 12:15] = picture[6:26, 30:33] = 255
    steps = {width: network(picture[:, :width]) for width in LINE_WIDTHS_PX}
    for width, some in steps.items():
        assert some.shape == (width // 2, len(recognisers.manifest.heads["number"].symbols) + 1)
    assert np.array_equal(steps[64][:20].argmax(1), steps[256][:20].argmax(1))
    assert np.array_equal(network(picture[:, :64]), steps[64])


def test_a_runtime_that_imports_but_cannot_run_is_passed_over(recognisers: Recognisers):
    from models.runtime import _Interpreted

    class Broken:
        runtime = "broken"

        def __call__(self, picture: np.ndarray) -> np.ndarray:
            raise RuntimeError("_ARRAY_API not found")

    def build(module: str, raw: bytes) -> Network:
        return Broken() if module == "broken" else _Interpreted(module, raw)

    model, shape = content(recognisers, "marks")
    working = "ai_edge_litert.interpreter"
    network = open_network(model, shape, runtimes=("no_such_runtime", "broken", working), build=build)
    assert network.runtime == working


def test_without_any_runtime_the_error_says_what_each_lacked_and_what_to_install(recognisers: Recognisers):
    model, shape = content(recognisers, "marks")
    with pytest.raises(ModelError, match="no_such_runtime: ModuleNotFoundError") as caught:
        open_network(model, shape, runtimes=("no_such_runtime",))
    assert "pip install" in caught.value.remedy


def test_bytes_that_are_no_model_are_an_error_of_ours():
    with pytest.raises(ModelError):
        open_network(b"TFL3 not really", (1, 32, 32, 1))
