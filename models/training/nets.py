"""The two networks: what they are, how they learn, and how they become int8 `.tflite` files.

Convolutions only (LSTM and GRU do not survive the int8 converter). TensorFlow is imported here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray
from rich.console import Console

from models.preprocess import GLYPH_SIDE_PX, LINE_HEIGHT_PX, LINE_WIDTH_PX
from models.training.answers import LINE_SYMBOLS
from models.training.marks import HEADS, SKIP
from models.training.sets import LineSet, MarkSet

_BATCH = 48
_NARROW_PX = 128
_PEAK_RATE = 2.5e-3
console = Console(stderr=True)


def line_network(width: int | None = None, batch: int | None = None) -> keras.Model:
    """32 × width → (width / 2 steps, symbols + blank) logits: fine enough for a 1 that touches its neighbour."""
    take = keras.Input((LINE_HEIGHT_PX, width or LINE_WIDTH_PX, 1), batch_size=batch)
    x = _conv(take, 16, (5, 5), (2, 2))
    x = _conv(x, 32, (3, 3), (2, 1))
    x = _conv(x, 48, (3, 3), (2, 1))
    x = _conv(x, 64, (4, 3), (4, 1))
    x = _conv(x, 72, (1, 7), (1, 1))
    x = _conv(x, 72, (1, 5), (1, 1))
    x = layers.Dropout(0.15)(x)
    x = layers.Conv2D(len(LINE_SYMBOLS) + 1, 1)(x)
    x = layers.Reshape((x.shape[2], x.shape[3]))(x)
    return keras.Model(take, x)


def mark_network(batch: int | None = None) -> keras.Model:
    """32 × 32 → the logits of all heads, one after the other."""
    take = keras.Input((GLYPH_SIDE_PX, GLYPH_SIDE_PX, 1), batch_size=batch)
    x = _conv(take, 16, (5, 5), (2, 2))
    x = _conv(x, 32, (3, 3), (1, 1))
    x = _conv(x, 48, (3, 3), (2, 2))
    x = _conv(x, 64, (3, 3), (2, 2))
    x = layers.Flatten()(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Dense(96, activation="relu")(x)
    x = layers.Dropout(0.15)(x)
    x = layers.Dense(sum(len(symbols) for symbols in HEADS.values()))(x)
    return keras.Model(take, x)


def fit_lines(data: LineSet, *, epochs: int, seed: int) -> keras.Model:
    """A line network that has seen the set `epochs` times. Short lines go in narrow batches: half the work."""
    keras.utils.set_random_seed(seed)
    wide = line_network()
    narrow = line_network(_NARROW_PX)
    reach = np.where(data.pictures.max(1) > 0, np.arange(LINE_WIDTH_PX), 0).max(1)
    groups = [np.flatnonzero(reach < _NARROW_PX - 6), np.flatnonzero(reach >= _NARROW_PX - 6)]
    lengths = (data.symbols >= 0).sum(1)
    targets = np.maximum(data.symbols, 0)
    steps = epochs * sum(-(-len(g) // _BATCH) for g in groups)
    optimizer = _optimizer(steps)
    optimizer.build(wide.trainable_variables)
    # One set of weights behind two input widths.
    _share(wide, narrow)

    def one(model: keras.Model) -> Callable[..., tf.Tensor]:
        @tf.function(reduce_retracing=True)
        def step(pictures: tf.Tensor, labels: tf.Tensor, label_lengths: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                logits = model(tf.cast(pictures, tf.float32)[..., None] / 255.0, training=True)
                shape = tf.shape(logits)
                loss = tf.reduce_mean(
                    tf.nn.ctc_loss(
                        labels=tf.cast(labels, tf.int32),
                        logits=tf.transpose(logits, [1, 0, 2]),
                        label_length=tf.cast(label_lengths, tf.int32),
                        logit_length=tf.fill([shape[0]], shape[1]),
                        blank_index=-1,
                    )
                )
            gradients = tape.gradient(loss, wide.trainable_variables)
            gradients, _ = tf.clip_by_global_norm(gradients, 5.0)
            optimizer.apply(gradients, wide.trainable_variables)
            return loss

        return step

    step_of = {0: one(narrow), 1: one(wide)}
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        losses = []
        for group, some in _batches(groups, rng):
            width = _NARROW_PX if group == 0 else LINE_WIDTH_PX
            pictures = _jiggle(data.pictures[some, :, :width], rng)
            losses.append(float(step_of[group](pictures, targets[some], lengths[some])))
        console.print(f"lines: round {epoch + 1} of {epochs}, loss {np.mean(losses):.3f}")
    return wide


def fit_marks(data: MarkSet, *, epochs: int, seed: int) -> keras.Model:
    """A mark network that has seen the set `epochs` times, every head taught by every picture it may judge."""
    keras.utils.set_random_seed(seed)
    model = mark_network()
    weights = [_head_weights(data.targets[:, i], len(symbols)) for i, symbols in enumerate(HEADS.values())]
    optimizer = _optimizer(epochs * -(-len(data.pictures) // _BATCH))

    @tf.function(reduce_retracing=True)
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
        losses = []
        for _, some in _batches([np.arange(len(data.pictures))], rng):
            losses.append(float(step(_jiggle(data.pictures[some], rng), data.targets[some])))
        console.print(f"marks: round {epoch + 1} of {epochs}, loss {np.mean(losses):.3f}")
    return model


def to_int8(model: keras.Model, single: keras.Model, samples: NDArray[np.uint8]) -> bytes:
    """The model as an int8 `.tflite` of batch 1, ranges measured on `samples` (n, height, width)."""
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


def _share(one: keras.Model, other: keras.Model) -> None:
    """Make `other` compute with the variables of `one` (same layers, another input width)."""
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        for name in ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"):
            variable = getattr(mine, name, None) if hasattr(mine, name) else None
            if isinstance(variable, keras.Variable):
                target = "_kernel" if name == "kernel" and hasattr(theirs, "_kernel") else name
                theirs._tracker.unlock()  # noqa: SLF001 - Keras locks a built layer's variables
                setattr(theirs, target, variable)


def _optimizer(steps: int) -> keras.optimizers.Optimizer:
    warm = min(300, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, decay_steps=max(steps - warm, 1), alpha=0.0, warmup_target=_PEAK_RATE, warmup_steps=warm
    )
    return keras.optimizers.AdamW(rate, weight_decay=1e-4)


def _batches(groups: list[NDArray[np.int64]], rng: np.random.Generator) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Shuffled batches, each from one group, groups in turn by chance."""
    batches = [
        (number, some[at : at + _BATCH])
        for number, group in enumerate(groups)
        for some in [rng.permutation(group)]
        for at in range(0, len(group), _BATCH)
    ]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def _jiggle(pictures: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The batch moved by up to two pixels and a little darker or brighter, so that no round is as the last."""
    moved = np.roll(pictures, (int(rng.integers(-2, 3)), int(rng.integers(-2, 3))), axis=(1, 2))
    table = np.clip(255 * (np.arange(256) / 255) ** rng.uniform(0.7, 1.4), 0, 255).astype(np.uint8)
    return np.asarray(table[moved], np.uint8)


def _head_weights(targets: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Weights that make a head's answers equally heavy, and "none of these" as heavy as half of them together."""
    counts = np.maximum(np.bincount(targets[targets != SKIP], minlength=n), 1).astype(np.float64)
    share = np.full(n, 1.0 / (n - 1))
    share[-1] = 0.5
    return share / counts * counts.sum()
