"""Which seasons a frequency makes likely, and which of them series show."""

import numpy as np
import pytest

from forecasting.data.seasons import candidates, gain, gains_of, season_of, seasons_of, without_season

RNG = np.random.default_rng(0)


def hourly(n: int, day: float = 1.0, week: float = 0.0, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    """A series with the shape of a day and the shape of a week, drawn once for all."""
    shapes, rng, t = np.random.default_rng(7), np.random.default_rng(seed), np.arange(n)
    of_day, of_week = shapes.normal(size=24), np.repeat(shapes.normal(size=7), 24)
    return 10 + day * of_day[t % 24] + week * of_week[t % 168] + noise * rng.normal(size=n)


@pytest.mark.parametrize(
    ("frequency", "likely", "usual"),
    [
        ("h", (24, 168), 24),
        ("2h", (12, 84), 12),
        ("15min", (4, 96, 672), 96),
        ("10min", (6, 144, 1_008), 144),
        ("3min", (20, 480), 480),
        ("min", (60, 1_440), 1_440),
        ("s", (60,), 60),
        ("D", (7, 365), 7),
        ("B", (5, 261), 5),
        ("W-SUN", (52,), 52),
        ("2W", (26,), 26),
        ("MS", (12,), 12),
        ("3MS", (4,), 4),
        ("QS-OCT", (4,), 4),
        ("YS", (), 1),
        ("7h", (24,), 1),
        (None, (), 1),
    ],
)
def test_any_step_that_divides_hour_day_week_or_year_has_their_seasons(frequency, likely, usual):
    found = candidates(frequency)
    if frequency == "7h":  # 24 steps of 7 hours are a week
        assert found == (24,) and season_of(frequency) == 24
        return
    assert (found, season_of(frequency)) == (likely, usual)


@pytest.mark.parametrize("n", [400, 800])
def test_a_day_and_a_week_are_found_where_they_are(n):
    assert seasons_of([hourly(n, day=1, week=1)], (24, 168)) == (24, 168)
    assert seasons_of([hourly(n, day=1)], (24, 168)) == (24,)
    assert seasons_of([hourly(n, day=0, week=1)], (24, 168)) == (168,)
    assert seasons_of([hourly(n, day=0)], (24, 168)) == ()


@pytest.mark.parametrize("kind", ["noise", "walk", "trend"])
@pytest.mark.parametrize("length", [4, 7, 12, 52])
def test_what_has_no_season_shows_one_seldom(kind, length):
    rng = np.random.default_rng(length)
    n = max(6 * length, 60)
    noise = rng.normal(size=(200, n))
    series = {"noise": noise, "walk": noise.cumsum(axis=1), "trend": noise + np.arange(n)}[kind]
    shown = np.mean([gain(y, length) > 0.02 for y in series])
    assert shown < 0.12, f"{shown:.0%} of them show a season"
    assert seasons_of(list(series), [length]) == ()


def test_a_fifth_of_the_series_must_show_a_season():
    with_week = [hourly(600, week=1, seed=i) for i in range(20)]
    without = [hourly(600, week=0, seed=i) for i in range(20)]
    assert seasons_of([*with_week[:4], *without[:16]], (24, 168)) == (24, 168)
    assert seasons_of([*with_week[:2], *without[:18]], (24, 168)) == (24,)


def test_series_too_short_to_tell_have_a_short_season_and_no_long_one():
    assert seasons_of([RNG.normal(size=20)], (12,)) == (12,)
    assert seasons_of([RNG.normal(size=100)], (52,)) == ()
    assert seasons_of([RNG.normal(size=8)], (12,)) == (), "not even one cycle"
    assert gain(RNG.normal(size=20), 12) is None


def test_what_is_missing_hides_no_season_and_a_constant_shows_none():
    y = hourly(800, day=1, week=1)
    y[RNG.random(800) < 0.05] = np.nan
    assert seasons_of([y], (24, 168)) == (24, 168)
    assert gain(np.full(100, 3.0), 7) == 0.0 and seasons_of([np.full(100, 3.0)], (7,)) == ()


def test_a_longer_season_is_measured_beside_the_shorter_ones():
    """What repeats every day repeats every week too, and that is no season of a week."""
    day = hourly(800, day=1, noise=0.1)
    assert gain(day, 168) > 1
    of_day, of_week = gains_of(day, (24, 168))
    assert of_day > 1 and of_week < 0
    left = without_season(day, 24)
    assert left.std() < 0.2 * day.std() and left.mean() == pytest.approx(day.mean(), rel=1e-3)
