"""TensorFlow in this process: its threads and devices, and what its errors mean."""

import tensorflow as tf


def use_threads(n_threads: int) -> None:
    """Let TensorFlow work on so many threads, and take a GPU's memory as it needs it; to be called before any fit."""
    tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(n_threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def devices() -> list[str]:
    """Name the devices that networks can be trained on: `CPU`, and `GPU:0` … where TensorFlow sees them."""
    return ["CPU"] + [f"GPU:{i}" for i in range(len(tf.config.list_physical_devices("GPU")))]


def is_out_of_memory(error: Exception) -> bool:
    """Whether TensorFlow was asked for more memory than there is."""
    return isinstance(error, tf.errors.ResourceExhaustedError)


def is_unreadable(error: Exception) -> bool:
    """Whether TensorFlow found something else in a file than what it had written there."""
    return isinstance(error, tf.errors.DataLossError | tf.errors.OutOfRangeError)
