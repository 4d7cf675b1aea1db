"""Forecasting with recurrent networks beside honest baselines: data, models, scores, and runs that last."""

from forecasting.experiment import BadInput, Experiment, Fit, ModelChoice, Sample, Task, Training, Upload, Waves
from forecasting.fit import Result, fits_of, run_fit, score_at

__all__ = [
    "BadInput",
    "Experiment",
    "Fit",
    "ModelChoice",
    "Result",
    "Sample",
    "Task",
    "Training",
    "Upload",
    "Waves",
    "fits_of",
    "run_fit",
    "score_at",
]
