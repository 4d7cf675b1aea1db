"""Arrays as bytes: what a worker and the store hand each other."""

import io
from collections.abc import Mapping

import numpy as np

from forecasting.evaluation.windows import Result
from forecasting.panels.fits import SeriesResult


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as bytes, in NumPy's own format."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stub takes names for the flag allow_pickle
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, np.ndarray]:
    """Arrays from bytes; pickles are refused."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def packed(result: Result | SeriesResult) -> dict[str, bytes]:
    """The arrays of a result, as they are stored."""
    if isinstance(result, SeriesResult):
        learned = result.learned
        forecasts: dict[str, np.ndarray] = {"y_hat": result.y_hat}
        weights, state = ([], {}) if learned is None else (learned.fitted.weights, learned.state)
    else:
        forecasts = {"valid": result.y_hat_valid, "test": result.y_hat_test}
        forecasts |= {} if result.filled is None else {"filled": result.filled}
        weights, state = result.weights, result.state
    arrays = {"forecasts": pack(forecasts), "weights": pack({str(i): weight for i, weight in enumerate(weights)})}
    return arrays | ({"state": pack(state)} if state else {})
