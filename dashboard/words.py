"""How values and numbers are put into words."""

import math

import numpy as np

from forecasting.experiment import Fit, SeriesFit

WORDS = {
    "none": "None",
    "linear": "Linear",
    "exponential": "Exponential",
    "additive": "Additive",
    "multiplicative": "Multiplicative",
    "standard": "Standard",
    "window": "By each window",
    "level": "By each window's level",
    "last_season": "To the last season, repeated",
    "by_model": "By model",
    "ensemble_first": "Ensemble first",
    "lowest_error": "Lowest error",
    "single": "A single one",
    "by_season": "By season",
    "next": "Next step",
    "at_h": "h-th step",
    "all_h": "All h",
    "last": "Last epoch",
    "best": "Best epoch",
    "waves": "Waves",
    "sample": "Samples",
    "upload": "Upload",
    "epochs": "Epochs",
    "seconds": "Seconds",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "nadam": "Nadam",
    "relu": "ReLU",
    "elu": "ELU",
    "direct": "Direct, at once",
    "iterated": "Iterated, one at a time",
    "vector": "Vector: the last step",
    "sequence": "Sequence: every step",
    "first": "Since the last step",
    "seasonal": "Since a season ago",
    "both": "Both",
    "fitting": "As fits the series",
    "batch": "Batch",
    "layer": "Layer",
    "simple": "Simple",
    "lstm": "LSTM",
    "gru": "GRU",
    "selu": "SELU",
    "automatic": "Automatic",
    "given": "Given",
    "random": "At random",
    "gaps": "In gaps",
    "leave": "Leave them",
    "forward": "The last known value",
    "interpolation": "Interpolation",
    "network": "A network",
    "one": "The first",
    "all": "All",
    "holt": "Holt",
    "classic": "Classic",
    "sba": "SBA",
    "tsb": "TSB",
    "adida": "ADIDA",
    "imapa": "IMAPA",
    "damped": "Holt, damped",
    "holt_winters": "Holt–Winters",
    "optimised": "Optimised",
    "dynamic": "Dynamic",
    "dynamic_optimised": "Dynamic, optimised",
    "log": "Logarithm",
    "box_cox": "Box–Cox",
    "nothing": "Nothing",
    "trend": "Trend",
    "season": "Season",
    "seasonal_line": "A line, season by season",
    "mean": "Mean",
    "sum": "Sum",
    "tuned": "Tuned",
    "chapter": "The chapter's",
    "constant": "Constant",
    "cosine": "Warm-up and cosine",
    "mse": "Squared errors",
    "mae": "Absolute errors",
    "huber": "Huber",
    "detected": "Detected",
    "point": "Point: 1,234.5",
    "comma": "Comma: 1.234,5",
}
"""How values are spoken on screen where they are not their own word."""


def spoken(value: str) -> str:
    """The word for a value on screen."""
    return WORDS.get(value, value)


def digits(value: float) -> str:
    """A number with three significant digits, written out where that stays short: 0.00298, 872, 4,470."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    size = math.floor(math.log10(abs(value)))
    if not -5 <= size <= 6:
        return f"{value:.2e}"
    places = max(0, 2 - size)
    return f"{round(value, 2 - size):,.{places}f}"


def duration(seconds: float) -> str:
    """A time in words: 0.4 s, 12 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 1 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def shortened(text: str, most: int = 52) -> str:
    """A text that is no longer than so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def moment(value: np.datetime64) -> str:
    """A time, without the clock where it is midnight."""
    text = np.datetime_as_string(value, "m")
    return text.removesuffix("T00:00").replace("T", " ")


def escaped(text: str) -> str:
    """A visitor's text, so that Markdown shows it as it stands."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|<>~:$&" else c for c in text)


def part_of(fit: Fit) -> str:
    """What tells a fit from the others of its model: its seed, or what it forecasts and its member's season; nothing where
    it has none."""
    if not isinstance(fit, SeriesFit):
        return "" if fit.seed is None else f"seed {fit.seed}"
    member = f", season {fit.task.season_length}" if fit.training and fit.task.season_length > 1 else ""
    if fit.forecasts_the_future:
        return f"forecast{member}"
    before = "" if len(fit.cutoff_offsets) > 1 else f", {fit.cutoff_offsets[0]} steps before the end"
    return f"backtest{before}{member}"
