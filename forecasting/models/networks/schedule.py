"""How the learning rate changes while a network is trained."""

import numpy as np

from forecasting.experiment import Training


def rates(training: Training, epoch: int, n_batches: int) -> np.ndarray:
    """The learning rate of each batch of an epoch, counted from 1: `(n_batches,)`, float32.

    A cosine rises in a straight line for the share `warm_up` of the training, and falls along half a wave to zero
    (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017). After a restart it does so again,
    over the epochs from there to the next one or to the end.

    Args:
        training: learning rate, schedule, warm-up, restarts and epochs.
        epoch: which one, from 1.
        n_batches: of an epoch.
    """
    height = training.learning_rate
    if not training.changes_rate:
        return np.full(n_batches, height, "float32")
    edges = np.array([0, *training.restarts, training.epochs])
    cycle = int(np.searchsorted(edges, epoch)) - 1
    start, end = edges[cycle : cycle + 2] * n_batches
    step, total = np.arange(n_batches) + (epoch - 1) * n_batches - start, end - start
    rising = training.warm_up * total
    up = (step + 1) / max(rising, 1)
    down = 0.5 + 0.5 * np.cos(np.pi * (step - rising) / max(total - rising, 1))
    return (height * np.where(step < rising, np.minimum(up, 1), down)).astype("float32")
