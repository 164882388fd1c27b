"""The networks: what they are, how they learn, and how they become int8 `.tflite` files.

Convolutions only (LSTM and GRU do not survive the int8 converter). TensorFlow is imported here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray
from rich.console import Console

from models.preprocess import GLYPH_SIDE_PX, LINE_HEIGHT_PX, LINE_WIDTHS_PX
from models.training.answers import LINE_SYMBOLS
from models.training.marks import HEADS, SKIP
from models.training.sets import LineSet, MarkSet

_BATCH = 64
_PEAK_RATE = 2.5e-3
console = Console(stderr=True)


def line_network(width: int | None = None, batch: int | None = None) -> keras.Model:
    """32 × width → 1 × width / 2 steps × (symbols + blank) logits: fine enough for a 1 that touches its neighbour."""
    take = keras.Input((LINE_HEIGHT_PX, width, 1), batch_size=batch)
    x = _conv(take, 24, (5, 5), (2, 2))
    x = _conv(x, 48, (3, 3), (2, 1))
    x = _conv(x, 80, (3, 3), (2, 1))
    x = _conv(x, 112, (4, 3), (4, 1))
    x = _conv(x, 112, (1, 7), (1, 1))
    x = _conv(x, 112, (1, 5), (1, 1))
    x = layers.Dropout(0.15)(x)
    return keras.Model(take, layers.Conv2D(len(LINE_SYMBOLS) + 1, 1)(x))


def mark_network(batch: int | None = None) -> keras.Model:
    """32 × 32 → the logits of all heads, one after the other."""
    take = keras.Input((GLYPH_SIDE_PX, GLYPH_SIDE_PX, 1), batch_size=batch)
    x = _conv(take, 24, (5, 5), (2, 2))
    x = _conv(x, 48, (3, 3), (1, 1))
    x = _conv(x, 72, (3, 3), (2, 2))
    x = _conv(x, 96, (3, 3), (2, 2))
    x = layers.Flatten()(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.15)(x)
    x = layers.Dense(sum(len(symbols) for symbols in HEADS.values()))(x)
    return keras.Model(take, x)


def fit_lines(data: LineSet, *, epochs: int, seed: int) -> keras.Model:
    """A line network that has seen the set `epochs` times, one width a batch."""
    keras.utils.set_random_seed(seed)
    model = line_network()
    sizes = {width: len(pictures) for width, pictures in data.pictures.items()}
    optimizer = _optimizer(epochs * sum(n // _BATCH for n in sizes.values()))
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(pictures: tf.Tensor, symbols: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(tf.cast(pictures, tf.float32)[..., None] / 255.0, training=True)[:, 0]
            # Sparse labels choose the loss that is written in C++: a third less time a step.
            taught = tf.where(symbols >= 0)
            loss = tf.reduce_mean(
                tf.nn.ctc_loss(
                    labels=tf.SparseTensor(taught, tf.gather_nd(symbols, taught), tf.shape(symbols, tf.int64)),
                    logits=tf.transpose(logits, [1, 0, 2]),
                    label_length=None,
                    logit_length=tf.fill([_BATCH], logits.shape[1]),
                    blank_index=-1,
                )
            )
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, model.trainable_variables), 5.0)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        losses = []
        for width, some in _batches(sizes, rng):
            pictures = _jiggle(data.pictures[width][some], rng)
            losses.append(float(step(pictures, data.symbols[width][some].astype(np.int32))))
        console.print(f"line: round {epoch + 1} of {epochs}, loss {np.mean(losses):.3f}")
    return model


def fit_marks(data: MarkSet, *, epochs: int, seed: int) -> keras.Model:
    """A mark network that has seen the set `epochs` times, every head taught by every picture it may judge."""
    keras.utils.set_random_seed(seed)
    model = mark_network()
    weights = [_head_weights(data.targets[:, i], len(symbols)) for i, symbols in enumerate(HEADS.values())]
    sizes = {GLYPH_SIDE_PX: len(data.pictures)}
    optimizer = _optimizer(epochs * (len(data.pictures) // _BATCH))

    @tf.function
    def step(pictures: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(tf.cast(pictures, tf.float32)[..., None] / 255.0, training=True)
            loss, start = 0.0, 0
            for i, symbols in enumerate(HEADS.values()):
                part = logits[:, start : start + len(symbols)]
                start += len(symbols)
                taught = tf.maximum(targets[:, i], 0)
                weight = tf.gather(tf.constant(weights[i], tf.float32), taught)
                weight = tf.where(targets[:, i] == SKIP, 0.0, weight)
                each = tf.nn.sparse_softmax_cross_entropy_with_logits(taught, part)
                loss += tf.reduce_sum(each * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        losses = [
            float(step(_jiggle(data.pictures[some], rng), data.targets[some])) for _, some in _batches(sizes, rng)
        ]
        console.print(f"marks: round {epoch + 1} of {epochs}, loss {np.mean(losses):.3f}")
    return model


def lines_to_int8(model: keras.Model, samples: NDArray[np.uint8]) -> bytes:
    """A line network as an int8 `.tflite` of batch 1 and the narrowest width; it can be resized to the others."""
    return to_int8(model, line_network(LINE_WIDTHS_PX[0], 1), samples)


def marks_to_int8(model: keras.Model, samples: NDArray[np.uint8]) -> bytes:
    """The mark network as an int8 `.tflite` of batch 1."""
    return to_int8(model, mark_network(1), samples)


def to_int8(model: keras.Model, single: keras.Model, samples: NDArray[np.uint8]) -> bytes:
    """The weights of `model` in the shape of `single`, ranges measured on `samples` (n, height, width)."""
    single.set_weights(model.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(single)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([s[None, ..., None].astype(np.float32) / 255.0] for s in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _conv(x: tf.Tensor, filters: int, kernel: tuple[int, int], strides: tuple[int, int]) -> tf.Tensor:
    x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)


def _optimizer(steps: int) -> keras.optimizers.Optimizer:
    warm = min(300, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, decay_steps=max(steps - warm, 1), alpha=0.0, warmup_target=_PEAK_RATE, warmup_steps=warm
    )
    return keras.optimizers.AdamW(rate, weight_decay=1e-4)


def _batches(sizes: Mapping[int, int], rng: np.random.Generator) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Shuffled full batches, each of one width, widths in turn by chance."""
    batches = [
        (width, order[at : at + _BATCH])
        for width, n in sizes.items()
        for order in [rng.permutation(n)]
        for at in range(0, n - _BATCH + 1, _BATCH)
    ]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def _jiggle(pictures: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Each picture a little moved, leant, stretched, thicker or thinner, darker or brighter: no two rounds alike."""
    height = pictures.shape[1]
    moved = np.empty_like(pictures)
    grey = np.arange(256) / 255
    for i, picture in enumerate(pictures):
        lean, wide, tall = rng.normal(0, 0.05), rng.uniform(0.9, 1.06), rng.uniform(0.88, 1.06)
        x, y = rng.uniform(-1.5, 1.5, 2)
        middle = height / 2
        affine = np.array([[wide, lean, x - lean * middle], [0, tall, y + middle - tall * middle]])
        one = cv2.warpAffine(picture, affine, picture.shape[::-1], flags=cv2.INTER_LINEAR)
        chance = rng.random()
        if chance < 0.1:
            one = cv2.dilate(one, np.ones((2, 2), np.uint8))
        elif chance < 0.16:
            one = cv2.erode(one, np.ones((2, 2), np.uint8))
        table = np.clip(255 * grey ** rng.uniform(0.7, 1.4), 0, 255).astype(np.uint8)
        moved[i] = cv2.LUT(one, table)
    return moved


def _head_weights(targets: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Weights that make a head's answers equally heavy, and "none of these" as heavy as half of them together."""
    counts = np.maximum(np.bincount(targets[targets != SKIP], minlength=n), 1).astype(np.float64)
    share = np.full(n, 1.0 / (n - 1))
    share[-1] = 0.5
    return share / counts * counts.sum()
