"""The network of bubbles: what it is, how it learns, and how it becomes an int8 `.tflite` file.

Convolutions and one dense layer, under two million multiplications a bubble. TensorFlow is imported here, and in `nets`
for the other models.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray
from rich.console import Console

from models.bubbles import SHOWN, SIDE_PX
from models.training.nets import to_int8

_BATCH = 128
_PEAK_RATE = 3e-3
console = Console(stderr=True)


def bubble_network(batch: int | None = None) -> keras.Model:
    """32 × 64, a bubble's columns and those of the others in turn → six logits."""
    take = keras.Input((SIDE_PX, 2 * SIDE_PX, 1), batch_size=batch)
    x = layers.Reshape((SIDE_PX, SIDE_PX, 2))(take)
    x = _conv(x, 16, 5, 2)
    x = _conv(x, 32, 3, 2)
    x = _conv(x, 40, 3, 1)
    x = _conv(x, 48, 3, 2)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.2)(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dense(len(SHOWN))(x)
    return keras.Model(take, x)


def fit_bubbles(pictures: NDArray[np.uint8], targets: NDArray[np.int64], *, epochs: int, seed: int) -> keras.Model:
    """A network that has seen `pictures` (n, 32, 64) `epochs` times."""
    keras.utils.set_random_seed(seed)
    model = bubble_network()
    steps = epochs * -(-len(pictures) // _BATCH)
    warm = min(300, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, decay_steps=max(steps - warm, 1), alpha=0.0, warmup_target=_PEAK_RATE, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4)

    @tf.function(reduce_retracing=True)
    def step(some: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(tf.cast(some, tf.float32)[..., None] / 255.0, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(right, logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        order = rng.permutation(len(pictures))
        losses = [
            float(step(pictures[some], targets[some]))
            for some in (order[at : at + _BATCH] for at in range(0, len(order), _BATCH))
        ]
        console.print(f"bubbles: round {epoch + 1} of {epochs}, loss {np.mean(losses):.4f}")
    return model


def bubbles_to_int8(model: keras.Model, samples: NDArray[np.uint8]) -> bytes:
    """The model as an int8 `.tflite` of batch 1, ranges measured on `samples` (n, 32, 64)."""
    return to_int8(model, bubble_network(batch=1), samples)


def _conv(x: tf.Tensor, filters: int, kernel: int, stride: int) -> tf.Tensor:
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(x)
