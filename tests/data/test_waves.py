"""The synthetic series, against the chapter's formula written out."""

import numpy as np
import pytest

from forecasting.data import floor_of, grid_length, load
from forecasting.data import waves as synthetic
from forecasting.data.waves import EXAMPLES, noise_floor
from forecasting.experiment import BadInput, Task, Waves


def generate(waves, n_steps, earlier=0):
    """The first channel."""
    return synthetic.generate(waves, n_steps, earlier)[:, :, 0]


def chapter_by_hand(n_series, n_steps, seed):
    rng = np.random.default_rng(seed)
    f1, f2, o1, o2 = rng.random((4, n_series, 1))
    u = rng.random((n_series, n_steps))
    values = np.empty((n_series, n_steps))
    for i in range(n_series):
        for k in range(n_steps):
            t = k / (n_steps - 1)
            wave_1 = 0.5 * np.sin((t - o1[i, 0]) * (10 * f1[i, 0] + 10))
            wave_2 = 0.2 * np.sin((t - o2[i, 0]) * (20 * f2[i, 0] + 20))
            values[i, k] = wave_1 + wave_2 + 0.1 * (u[i, k] - 0.5)
    return values


@pytest.mark.parametrize(("n_steps", "seed"), [(51, 42), (60, 7)])
def test_defaults_are_the_formula_of_the_chapter(n_steps, seed):
    made = generate(Waves(n_series=20, seed=seed), n_steps)
    np.testing.assert_allclose(made, chapter_by_hand(20, n_steps, seed), rtol=0, atol=1e-12)


def test_another_seed_draws_other_series_and_the_same_seed_the_same():
    first, again, other = (generate(Waves(n_series=10, seed=seed), 30) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_values_stay_within_the_two_amplitudes_and_half_the_noise_and_use_most_of_that_range():
    values = generate(Waves(n_series=2_000), 51)
    assert values.dtype == np.float64
    assert np.abs(values).max() <= 0.5 + 0.2 + 0.05
    assert values.max() > 0.65 and values.min() < -0.65


def test_windows_of_the_waves_are_float32_and_three_dimensional():
    split = load(Waves(n_series=100), Task(target="all_h", h=10))
    assert split.train.x.shape == (70, 50, 1) and split.train.y.shape == (70, 10)
    assert split.train.x.dtype == split.train.y.dtype == np.float32


@pytest.mark.parametrize("width", [0.1, 2.0])
def test_noise_floor_is_the_variance_of_what_the_noise_adds(width):
    noisy = Waves(n_series=1_000, noise_width=width, season="multiplicative", trend="exponential", level=1)
    added = generate(noisy, 60) - generate(noisy.model_copy(update={"noise_width": 0.0}), 60)
    assert np.isclose(added.var(), noise_floor(noisy), rtol=0.02)
    assert np.isclose(noise_floor(noisy), width**2 / 12)
    assert load(noisy, Task()).noise_floor == floor_of(noisy) == noise_floor(noisy)


def test_linear_trend_adds_its_change_every_so_many_steps():
    values = generate(Waves(n_series=10, amplitude_1=0, amplitude_2=0, noise_width=0, level=2, trend="linear"), 200)
    for step in (0, 50, 75, 199):
        np.testing.assert_allclose(values[:, step], 2 + 0.1 * step / 50)


def test_exponential_trend_multiplies_level_and_waves():
    still = Waves(n_series=10, noise_width=0, level=3)
    moving = still.model_copy(update={"trend": "exponential", "trend_change": -0.5, "trend_every": 10})
    flat, falling = generate(still, 40), generate(moving, 40)
    for step in (0, 10, 25, 39):
        np.testing.assert_allclose(falling[:, step], flat[:, step] * 0.5 ** (step / 10))


@pytest.mark.parametrize("season", ["additive", "multiplicative"])
def test_season_is_a_sine_of_its_length_with_a_phase_per_series(season):
    plain = Waves(n_series=30, noise_width=0, level=1)
    seasonal = plain.model_copy(update={"season": season, "season_amplitude": 0.8, "season_length": 12})
    base, values = generate(plain, 48), generate(seasonal, 48)
    pattern = values - base if season == "additive" else values / base - 1
    rng = np.random.default_rng(plain.seed)
    rng.random((4, 30, 1)), rng.random((30, 48))
    phase = rng.random(30)
    for i in range(30):
        expected = [0.8 * np.sin(2 * np.pi * (step / 12 + phase[i])) for step in range(48)]
        np.testing.assert_allclose(pattern[i], expected, atol=1e-9)


def test_earlier_steps_leave_the_values_of_the_grid_as_they_are():
    waves = Waves(n_series=15, trend="linear", season="additive", season_length=7)
    longer = generate(waves, 20, earlier=9)
    assert longer.shape == (15, 29)
    np.testing.assert_allclose(longer[:, 9:], generate(waves, 20), rtol=0, atol=1e-13)


def test_earlier_steps_continue_the_formula_into_negative_time():
    longer = generate(Waves(n_series=10, noise_width=0, amplitude_2=0, seed=5), 21, earlier=4)
    f1, _, o1, _ = np.random.default_rng(5).random((4, 10))
    for k in range(-4, 21):
        np.testing.assert_allclose(longer[:, k + 4], 0.5 * np.sin((k / 20 - o1) * (10 * f1 + 10)), atol=1e-12)


@pytest.mark.parametrize("key", sorted(EXAMPLES))
def test_every_example_is_valid_and_gives_finite_windows(key):
    _, source, task = EXAMPLES[key]
    split = load(Waves(**source), Task(**task))
    assert split.train.x.shape[1] == task["input_size"] and split.train.y.shape[1] == task["h"]
    assert all(np.isfinite(part.x).all() and np.isfinite(part.y).all() for part in (split.train, split.valid, split.test))


@pytest.mark.parametrize("key", ["users", "sunscreen"])
def test_what_is_counted_in_users_and_sales_is_positive(key):
    _, source, task = EXAMPLES[key]
    assert generate(Waves(**source), grid_length(Waves(**source), Task(**task))).min() > 0


def test_users_grow_by_a_tenth_a_month():
    _, source, _ = EXAMPLES["users"]
    values = generate(Waves(**source | {"n_series": 500, "season": "none"}), 1_500)
    assert np.isclose(values[:, 730:1_460].mean() / values[:, :730].mean(), 1.1, rtol=0.02)


def test_the_grid_is_look_back_plus_horizon_unless_it_is_fixed():
    task = Task(input_size=50, target="all_h", h=10)
    assert grid_length(Waves(), task) == 60
    assert grid_length(Waves(), Task(input_size=50)) == 51
    assert grid_length(Waves(n_steps=80), task) == 80


def test_a_grid_too_short_for_look_back_and_horizon_is_refused_in_one_sentence():
    with pytest.raises(BadInput, match=r"^The grid is fixed to 59 points, but look-back 50 and horizon 10 need 60: .*\.$"):
        load(Waves(n_steps=59), Task(input_size=50, target="all_h", h=10))


def test_on_a_longer_fixed_grid_the_windows_are_its_first_points():
    split = load(Waves(n_series=10, n_steps=30), Task(input_size=8))
    values = generate(Waves(n_series=10), 30)
    np.testing.assert_allclose(split.train.x[:, :, 0], values[:7, :8], atol=1e-6)
    np.testing.assert_allclose(split.train.y[:, 0], values[:7, 8], atol=1e-6)


def test_channels_keep_their_draws_and_a_single_one_is_the_chapters():
    three = synthetic.generate(Waves(n_series=10, n_channels=3, coupling=0), 30)
    assert three.shape == (10, 30, 3)
    assert np.array_equal(three[:, :, 0], generate(Waves(n_series=10), 30))
    assert np.array_equal(three[:, :, :2], synthetic.generate(Waves(n_series=10, n_channels=2, coupling=0), 30))
    assert np.abs(np.corrcoef(three.reshape(-1, 3).T) - np.eye(3)).max() < 0.5


def test_a_wholly_coupled_channel_repeats_the_next_one_some_steps_later():
    values = synthetic.generate(Waves(n_series=10, n_channels=3, coupling=1, delay=4, noise_width=0), 30)
    for channel in (0, 1):
        np.testing.assert_allclose(values[:, 4:, channel], values[:, :-4, channel + 1], atol=1e-12)


def test_a_coupled_channel_mixes_its_own_waves_with_those_of_the_next():
    still = {"n_series": 10, "n_channels": 2, "noise_width": 0, "delay": 3}
    own = synthetic.generate(Waves(**still, coupling=0), 30)
    mixed = synthetic.generate(Waves(**still, coupling=0.25), 30)
    np.testing.assert_allclose(mixed[:, 3:, 0], 0.75 * own[:, 3:, 0] + 0.25 * own[:, :-3, 1], atol=1e-12)
    assert np.array_equal(mixed[:, :, 1], own[:, :, 1])


def test_more_values_than_fit_into_memory_are_refused_channels_counted():
    with pytest.raises(BadInput, match="100,000 series of 51 steps and 8 channels are 40,800,000 values"):
        load(Waves(n_series=100_000, n_channels=8), Task())


def test_waves_of_the_same_length_at_every_look_back_see_further_back():
    short, long = (generate(Waves(n_series=20, noise_width=0, unit_steps=50), n) for n in (51, 121))
    np.testing.assert_allclose(long[:, :51], short, rtol=0, atol=1e-12)
    np.testing.assert_allclose(short, generate(Waves(n_series=20, noise_width=0), 51), rtol=0, atol=1e-12)
    assert np.abs(long[:, 51:]).max() > 0.6


def test_a_setting_that_came_later_leaves_the_ids_of_fits_as_they_were():
    assert "unit_steps" not in Waves().canonical() and Waves(unit_steps=50).model_dump()["unit_steps"] == 50
