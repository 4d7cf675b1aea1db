"""Forecasting with recurrent networks beside honest baselines: data, models, scores, and runs that last."""

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
from forecasting.fit import Result, fits_of, run_fit, score_at

__all__ = [
    "BadInput",
    "Experiment",
    "Fit",
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
    "fits_of",
    "run_fit",
    "score_at",
]
