"""One port over the two runtimes that run int8 `.tflite` files: LiteRT, and tflite-runtime before it.

tflite-runtime 2.14 imports under numpy 2 and then fails when it is used; so a runtime is chosen by
constructing *and* invoking, never by importing.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.manifest import ModelError

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
"""Modules that offer an `Interpreter`, the preferred one first."""


class Network(Protocol):
    """A loaded model: one grey picture in, logits out."""

    @property
    def runtime(self) -> str:
        """The module that runs it."""

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits for one (height, width) picture, as high as the model's own; (steps, classes) or (classes,).

        A model of lines takes any width; each has an interpreter of its own, made when it is first seen.
        """


@contextmanager
def _native_messages_off() -> Iterator[None]:
    """LiteRT announces its delegate on the process's stderr, where people look for what went wrong."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class _Interpreted:
    """A model inside an `Interpreter` of one thread for each width. Not for use from two threads at once."""

    def __init__(self, module: str, content: bytes) -> None:
        self.runtime = module
        self._content = content
        self._sized: dict[int, _Sized] = {}

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        sized = self._sized.get(picture.shape[1])
        if sized is None:
            sized = self._sized[picture.shape[1]] = _Sized(self.runtime, self._content, picture.shape[1])
        return sized(picture)


class _Sized:
    """An `Interpreter` whose input is of one width."""

    def __init__(self, module: str, content: bytes, width: int) -> None:
        with _native_messages_off():
            interpreter: Any = importlib.import_module(module).Interpreter(model_content=content, num_threads=1)
            take = interpreter.get_input_details()[0]
            shape = [int(n) for n in take["shape"]]
            if shape[2] != width:
                shape[2] = width
                interpreter.resize_tensor_input(take["index"], shape)
            interpreter.allocate_tensors()
        self._interpreter = interpreter
        give = interpreter.get_output_details()[0]
        self._input_index = int(take["index"])
        self._output_index = int(give["index"])
        self._shape = tuple(shape)
        in_scale, in_zero = take["quantization"]
        self._out_scale, self._out_zero = (np.float32(n) for n in give["quantization"])
        # Brightness 0..255 stands for 0..1; its int8 code, once for all.
        codes = np.round(np.arange(256) / 255.0 / in_scale) + in_zero
        self._codes = np.clip(codes, -128, 127).astype(np.int8)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input_index, self._codes[picture].reshape(self._shape))
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output_index)[0].astype(np.float32)
        logits: NDArray[np.float32] = (raw - self._out_zero) * self._out_scale
        return logits.reshape(-1, logits.shape[-1]) if logits.ndim > 1 else logits


def open_network(
    content: bytes,
    input_shape: tuple[int, int, int, int],
    *,
    runtimes: tuple[str, ...] = RUNTIMES,
    build: Callable[[str, bytes], Network] = _Interpreted,
) -> Network:
    """Load a model into the first runtime that can construct and invoke it.

    Raises `ModelError`, with what each runtime said, when none can.
    """
    blank = np.zeros(input_shape[1:3], np.uint8)
    complaints: list[str] = []
    for module in runtimes:
        try:
            network = build(module, content)
            network(blank)
        except Exception as error:  # noqa: BLE001 - a broken native runtime raises whatever it likes
            complaints.append(f"{module.split('.')[0]}: {type(error).__name__}: {error}".splitlines()[0])
        else:
            return network
    raise ModelError(
        "No runtime here can run the models ({complaints}).",
        remedy="Install one: `pip install ai-edge-litert`.",
        complaints="; ".join(complaints),
    )
