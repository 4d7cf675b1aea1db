"""Forecasting with recurrent networks beside honest baselines: data, models, scores, and runs that last.

What it offers is loaded when it is first asked for: `import forecasting` alone loads neither pandas nor TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecasting.evaluation.fits import fits_of
    from forecasting.evaluation.windows import Result, run_fit, score_at
    from forecasting.experiment import (
        BadInput,
        Experiment,
        Fit,
        LookBackFit,
        ModelChoice,
        Sample,
        SeriesFit,
        Task,
        Training,
        Upload,
        Waves,
        WindowFit,
    )
    from forecasting.frames import BacktestResult, ForecastResult, backtest, forecast, read

__version__ = "0.1.0"
__all__ = [
    "BacktestResult",
    "BadInput",
    "Experiment",
    "Fit",
    "ForecastResult",
    "LookBackFit",
    "ModelChoice",
    "Result",
    "Sample",
    "SeriesFit",
    "Task",
    "Training",
    "Upload",
    "Waves",
    "WindowFit",
    "backtest",
    "fits_of",
    "forecast",
    "read",
    "run_fit",
    "score_at",
]
_WHERE = {
    "frames": ("BacktestResult", "ForecastResult", "backtest", "forecast", "read"),
    "evaluation.fits": ("fits_of",),
    "evaluation.windows": ("Result", "run_fit", "score_at"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'forecasting' has no attribute {name!r}")
    module = next((module for module, names in _WHERE.items() if name in names), "experiment")
    return getattr(import_module(f"forecasting.{module}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
