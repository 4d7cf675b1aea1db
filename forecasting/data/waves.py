"""Synthetic series: sums of two sine waves with noise, after the chapter, with a trend and a season if wanted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from forecasting.experiment import Waves

CHUNK_SIZE = 12_000
"""Values of each channel that are made at a time: what is needed for them stays in the processor's cache."""

EXAMPLES: dict[str, tuple[str, dict, dict]] = {
    "chapter_ten": ("The chapter's ten steps ahead", {}, {"input_size": 50, "target": "all_h", "h": 10}),
    "users": (
        "Hourly users, growing 10 % a month",
        {
            "n_series": 2_000,
            "level": 3.0,
            "amplitude_1": 0.3,
            "amplitude_2": 0.1,
            "trend": "exponential",
            "trend_change": 0.1,
            "trend_every": 730,
            "season": "multiplicative",
            "season_amplitude": 0.4,
            "season_length": 24,
        },
        {"input_size": 96, "target": "all_h", "h": 24},
    ),
    "company": (
        "Three figures of a company per quarter",
        {
            "n_series": 3_000,
            "n_channels": 3,
            "coupling": 0.7,
            "delay": 4,
            "level": 2.0,
            "trend": "linear",
            "trend_change": 0.5,
            "trend_every": 16,
            "season": "additive",
            "season_amplitude": 0.3,
            "season_length": 4,
        },
        {"input_size": 32, "target": "all_h", "h": 4},
    ),
    "temperatures": (
        "Daily temperatures",
        {
            "n_series": 1_000,
            "level": 10.0,
            "amplitude_1": 2.0,
            "amplitude_2": 1.0,
            "noise_width": 2.0,
            "season": "additive",
            "season_amplitude": 10.0,
            "season_length": 365,
        },
        {"input_size": 90, "target": "all_h", "h": 7},
    ),
    "sunscreen": (
        "Sunscreen sold per month",
        {
            "n_series": 3_000,
            "level": 2.0,
            "amplitude_1": 0.2,
            "amplitude_2": 0.1,
            "noise_width": 0.2,
            "season": "multiplicative",
            "season_amplitude": 0.8,
            "season_length": 12,
        },
        {"input_size": 48, "target": "all_h", "h": 12},
    ),
}
"""Presets: key → (title, what differs from the chapter in the source, in the task)."""


def noise_floor(waves: Waves) -> float:
    """Return the variance of the noise, width² / 12: no model's expected MSE is lower, at any step ahead."""
    return waves.noise_width**2 / 12


def generate(waves: Waves, n_steps: int, earlier: int = 0) -> np.ndarray:
    """Make the series.

    Per series and channel two frequencies and two phases are drawn uniformly. Time runs over [0, 1] on an even grid of
    `n_steps` points, both ends included; or from 0 on by 1 every `unit_steps`. Level and waves come first, then trend, then
    season, then noise, so that the noise floor holds with every combination. Each channel but the last follows the next one:
    of its waves the share `coupling` is that of the next channel, `delay` steps earlier. Another number of channels leaves
    the draws of each as they were.

    Args:
        waves: the settings.
        n_steps: points of the grid.
        earlier: so many steps are put before the grid, on the same spacing; the values on the grid stay the same.

    Returns:
        Values of shape `(n_series, earlier + n_steps, n_channels)`, float64.
    """
    step, series = np.arange(-earlier, n_steps), Formula(waves, n_steps)
    drawn = [_draw(waves, channel, n_steps, earlier) for channel in range(waves.n_channels)]
    made = np.empty((waves.n_series, earlier + n_steps, waves.n_channels))
    many = max(1, CHUNK_SIZE // (earlier + n_steps))
    for first in range(0, waves.n_series, many):
        some = slice(first, first + many)
        for channel, (_, noise) in enumerate(drawn):
            draws = [draws.of(some) for draws, _ in drawn[channel:]]
            made[some, :, channel] = series(draws, step) + noise(len(made[some]))
    return made


@dataclass(frozen=True)
class Draws:
    """What chance decides about the series of one channel, but for the noise. All lie between 0 and 1.

    Attributes:
        waves: where in their ranges the two frequencies lie, and the two phases, `(4, n_series, 1)`.
        shift: where the season begins, as a share of its length, `(n_series, 1)`.
    """

    waves: np.ndarray
    shift: np.ndarray

    def of(self, some: slice) -> "Draws":
        """Those of some of the series."""
        return Draws(self.waves[:, some], self.shift[some])


@dataclass(frozen=True)
class Formula:
    """What the series are, once chance has decided.

    Attributes:
        waves: the settings.
        n_steps: points of the grid.
    """

    waves: Waves
    n_steps: int

    def __call__(self, draws: Sequence[Draws], step: np.ndarray) -> np.ndarray:
        """The series of a channel without their noise: `(n_series, len(step))`, float64.

        Args:
            draws: those of the channel, and of the channels behind it, which it follows.
            step: the steps that are asked for, one after the other, counted from the start of the grid.
        """
        values, share = np.zeros((len(draws[0].shift), len(step))), 1.0
        for ahead, source in enumerate(draws):
            own = 1 if source is draws[-1] else 1 - self.waves.coupling
            t = (step - ahead * self.waves.delay) / (self.waves.unit_steps or self.n_steps - 1)
            values += share * own * _two_waves(self.waves, source.waves, t)
            share *= self.waves.coupling
        return _trend_and_season(self.waves, self.waves.level + values, step, draws[0].shift)


def _draw(waves: Waves, channel: int, n_steps: int, earlier: int) -> tuple[Draws, Callable[[int], np.ndarray]]:
    """The draws of a channel, and a function that draws the noise of the next so many series.

    In one stream of random numbers come the waves, the noise on the grid, the season, the noise before the grid.
    """
    n, seed = waves.n_series, [waves.seed, channel] if channel else waves.seed
    on_grid, behind = np.random.default_rng(seed), np.random.PCG64(seed)
    behind.advance(4 * n + n * n_steps)
    before = np.random.Generator(behind)
    draws = Draws(on_grid.random((4, n, 1)), before.random((n, 1)))

    def noise(count: int) -> np.ndarray:
        drawn = on_grid.random((count, n_steps))
        if earlier:
            drawn = np.concatenate([before.random((count, earlier)), drawn], axis=1)
        drawn -= 0.5
        drawn *= waves.noise_width
        return drawn

    return draws, noise


def _two_waves(waves: Waves, drawn: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The two waves at the times `t`."""
    f1, f2, o1, o2 = drawn
    slow = _wave(waves.amplitude_1, waves.frequency_1, f1, o1, t)
    return slow + _wave(waves.amplitude_2, waves.frequency_2, f2, o2, t)


def _trend_and_season(waves: Waves, values: np.ndarray, step: np.ndarray, shift: np.ndarray) -> np.ndarray:
    if waves.trend == "linear":
        values += waves.trend_change * step / waves.trend_every
    elif waves.trend == "exponential":
        values *= (1 + waves.trend_change) ** (step / waves.trend_every)
    if waves.season != "none":
        season = waves.season_amplitude * np.sin(2 * np.pi * (step / waves.season_length + shift))
        values = values + season if waves.season == "additive" else values * (1 + season)
    return values


def _wave(
    amplitude: float, frequency: tuple[float, float], draw: np.ndarray, phase: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """A sine at evenly spaced times: the height of a point that is turned by the same angle from step to step, which takes
    a fifth of the time that as many sines do, and is as exact to 1e-14."""
    low, high = frequency
    speed = (low + (high - low) * draw)[:, 0]
    turn = np.exp(1j * speed * (t[1] - t[0] if len(t) > 1 else 0.0))
    points = np.empty((len(t), len(speed)), complex)
    points[0] = amplitude * np.exp(1j * speed * (t[0] - phase[:, 0]))
    for before, point in zip(points, points[1:], strict=False):
        np.multiply(before, turn, out=point)
    return points.imag.T
