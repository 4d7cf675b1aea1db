"""Windows and splits, against a loop that lists every window."""

import numpy as np
import pandas as pd
import pytest

from forecasting.data import load
from forecasting.data.splitting import split_by_series, split_by_time
from forecasting.data.windows import level_and_spread
from forecasting.experiment import BadInput, Sample, Task, Waves

PARTS = ("train", "valid", "test")


def daily(**series):
    """A frame of daily series: name → (first day, values)."""
    pieces = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range("2024-01-01", periods=first + len(y))[first:], "y": y})
        for name, (first, y) in series.items()
    ]
    return pd.concat(pieces, ignore_index=True)


def day(number):
    return pd.Timestamp("2024-01-01") + pd.Timedelta(days=number)


def listed(part):
    """The windows of a part as `(series, first step after the look-back, seen values, targets)`, in units."""
    return [
        (part.unique_id[i], pd.Timestamp(part.ds[i]), part.x[i, :, 0].tolist(), part.y[i].tolist()) for i in range(len(part))
    ]


def windows_by_hand(frame, input_size, steps, first_cut, second_cut):
    """All windows of all series, by part; those across a cutoff or with a gap are left out."""
    parts = {"train": [], "valid": [], "test": []}
    for name in frame["unique_id"].unique():
        rows = frame[frame["unique_id"] == name]
        y, ds = rows["y"].tolist(), rows["ds"].tolist()
        for start in range(input_size, len(y) - max(steps) + 1):
            seen, targets = y[start - input_size : start], [y[start + step - 1] for step in steps]
            when = [ds[start + step - 1] for step in steps]
            if any(np.isnan(y[start - input_size : start + max(steps)])):
                continue
            if all(moment < first_cut for moment in when):
                part = "train"
            elif all(first_cut <= moment < second_cut for moment in when):
                part = "valid"
            elif all(moment >= second_cut for moment in when):
                part = "test"
            else:
                continue
            parts[part].append((name, ds[start], seen, targets))
    return parts


def test_every_window_of_a_tiny_series_is_where_it_belongs():
    split = split_by_time(
        daily(a=(0, np.arange(10.0))), Task(input_size=2, target="all_h", h=2, train=0.5, valid=0.3)
    )  # the cutoffs lie before 5 and before 8
    assert listed(split.train) == [("a", day(2), [0, 1], [2, 3]), ("a", day(3), [1, 2], [3, 4])]
    assert listed(split.valid) == [("a", day(5), [3, 4], [5, 6]), ("a", day(6), [4, 5], [6, 7])]
    assert listed(split.test) == [("a", day(8), [6, 7], [8, 9])]
    assert split.left_out == 0 and split.noise_floor is None


@pytest.mark.parametrize("n", [10, 30, 100])
def test_seventy_and_twenty_percent_of_the_times_train_and_validate_and_the_rest_tests(n):
    split = split_by_time(daily(a=(0, np.arange(float(n)))), Task(input_size=2, train=0.7, valid=0.2))
    assert split.train.y[:, 0].tolist() == list(range(2, n * 7 // 10))
    assert split.valid.y[:, 0].tolist() == list(range(n * 7 // 10, n * 9 // 10))
    assert split.test.y[:, 0].tolist() == list(range(n * 9 // 10, n))


def test_look_backs_reach_back_over_a_cutoff_and_targets_never_cross_one():
    split = split_by_time(daily(a=(0, np.arange(40.0))), Task(input_size=9, target="all_h", h=3, train=0.5, valid=0.25))
    assert split.valid.x[0, :, 0].tolist() == list(range(11, 20))
    assert split.train.y.max() == 19 and split.valid.y.min() == 20
    assert split.valid.y.max() == 29 and split.test.y.min() == 30


@pytest.mark.parametrize(
    ("target", "h", "steps"), [("next", 1, [1]), ("at_h", 3, [3]), ("all_h", 3, [1, 2, 3])], ids=["next", "at_h", "all_h"]
)
def test_several_series_of_different_length_are_cut_at_the_same_two_moments(target, h, steps):
    rng = np.random.default_rng(0)
    gap = rng.random(40)
    gap[13] = np.nan
    frame = daily(long=(0, gap), late=(15, rng.random(25)), ends=(0, rng.random(22)), tiny=(3, rng.random(4)))
    frame["y"] = frame["y"].astype("float32").astype("float64")
    split = split_by_time(frame, Task(input_size=5, target=target, h=h, train=0.5, valid=0.25))
    by_hand = windows_by_hand(frame, 5, steps, day(20), day(30))
    for name in PARTS:
        assert by_hand[name]
        assert listed(getattr(split, name)) == by_hand[name]


def test_windows_that_hold_a_missing_value_are_left_out_and_counted():
    y = np.arange(40.0)
    y[10] = np.nan
    split = split_by_time(daily(a=(0, y)), Task(input_size=4, train=0.5, valid=0.25))
    assert split.left_out == 5  # as the target once, and in four look-backs
    assert split.train.y[:, 0].tolist() == [4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19]
    assert all(np.isfinite(getattr(split, name).x).all() for name in PARTS)


def test_a_spike_after_the_first_cutoff_moves_nothing_that_is_trained_on():
    y = np.random.default_rng(1).normal(5, 2, 60)
    spiked = y.copy()
    spiked[30:] += 1_000
    task = Task(input_size=6, target="all_h", h=2, train=0.5, valid=0.25, scaling="standard")
    calm, loud = split_by_time(daily(a=(0, y)), task), split_by_time(daily(a=(0, spiked)), task)
    for name in ("x", "y", "loc", "scale"):
        assert np.array_equal(getattr(calm.train, name), getattr(loud.train, name))
    assert np.array_equal(calm.valid.loc, loud.valid.loc) and np.array_equal(calm.test.scale, loud.test.scale)
    assert np.abs(calm.valid.y - loud.valid.y).min() > 100


def test_standard_scaling_uses_mean_and_deviation_of_each_series_before_the_first_cutoff():
    rng = np.random.default_rng(2)
    frame = daily(a=(0, rng.normal(5, 2, 60)), b=(10, rng.normal(-300, 40, 50)))
    split = split_by_time(frame, Task(input_size=6, train=0.5, valid=0.25, scaling="standard"))
    raw = split_by_time(frame, Task(input_size=6, train=0.5, valid=0.25))
    for name in PARTS:
        part, in_units = getattr(split, name), getattr(raw, name)
        for i in range(len(part)):
            before = frame.loc[(frame["unique_id"] == part.unique_id[i]) & (frame["ds"] < day(30)), "y"].to_numpy()
            mean = sum(before) / len(before)
            deviation = np.sqrt(sum((before - mean) ** 2) / len(before))
            assert np.isclose(part.loc[i, 0], mean) and np.isclose(part.scale[i, 0], deviation)
            np.testing.assert_allclose(part.x[i], (in_units.x[i] - mean) / deviation, atol=1e-5)
        np.testing.assert_allclose(part.in_units(part.y), in_units.y, rtol=1e-5)


@pytest.mark.parametrize("level", [0.1, 0.25, 3.7])
def test_a_constant_training_part_is_not_stretched(level):
    y = np.full(60, level)
    y[40:] += np.arange(20)
    split = split_by_time(daily(a=(0, y)), Task(input_size=4, train=0.5, valid=0.25, scaling="standard"))
    assert np.abs(split.train.x).max() < 1e-6
    assert np.abs(split.test.y).max() < 100


def test_a_series_that_begins_after_the_first_cutoff_is_left_as_it_is():
    frame = daily(a=(0, np.arange(40.0)), new=(25, np.full(15, 500.0)))
    split = split_by_time(frame, Task(input_size=4, train=0.5, valid=0.25, scaling="standard"))
    new = split.test.unique_id == "new"
    assert new.any() and np.array_equal(split.test.y[new], np.full((new.sum(), 1), 500, "float32"))


@pytest.mark.parametrize("look_back", [3, 9])
def test_another_look_back_keeps_the_targets_of_validation_and_test(look_back):
    frame = daily(a=(0, np.arange(60.0)), b=(20, np.arange(100.0, 140.0)))
    task = Task(input_size=5, target="all_h", h=2, train=0.5, valid=0.25, scaling="standard")
    usual, other = split_by_time(frame, task), split_by_time(frame, task, look_back)
    shared = min(look_back, 5)
    for name in ("valid", "test"):
        part, kept = getattr(usual, name), getattr(other, name)
        of_a = kept.unique_id == "a"
        assert kept.x.shape[1] == look_back
        assert np.array_equal(kept.y[of_a], part.y[part.unique_id == "a"])
        assert np.array_equal(kept.ds[of_a], part.ds[part.unique_id == "a"])
        assert np.array_equal(kept.x[of_a][:, -shared:], part.x[part.unique_id == "a"][:, -shared:])


@pytest.mark.parametrize("look_back", [3, 20])
@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_waves_seen_over_another_look_back_have_the_same_targets(look_back, scaling):
    task = Task(input_size=8, target="all_h", h=2, scaling=scaling)
    usual, other = load(Waves(n_series=30), task), load(Waves(n_series=30), task, look_back=look_back)
    shared = min(look_back, 8)
    for name in PARTS:
        part, kept = getattr(usual, name), getattr(other, name)
        assert kept.x.shape[1] == look_back
        assert np.array_equal(kept.y, part.y)
        assert np.array_equal(kept.x[:, -shared:], part.x[:, -shared:])


def test_ten_thousand_series_split_into_seven_two_and_one_thousand():
    split = load(Waves(n_series=10_000), Task(input_size=4))
    assert [len(split.train), len(split.valid), len(split.test)] == [7_000, 2_000, 1_000]
    ids = np.concatenate([split.train.unique_id, split.valid.unique_id, split.test.unique_id])
    assert np.array_equal(ids, np.arange(10_000))


@pytest.mark.parametrize(
    ("target", "columns"), [("next", [6]), ("at_h", [8]), ("all_h", [6, 7, 8])], ids=["next", "at_h", "all_h"]
)
def test_targets_of_a_series_are_the_steps_that_were_asked_for(target, columns):
    values = np.arange(20)[:, None] * 100.0 + np.arange(9)
    task = Task(input_size=4, target=target, h=3)
    split = split_by_series(values[:, :, None], task, origin=6, look_back=4)
    for i in range(len(split.train)):
        assert split.train.x[i, :, 0].tolist() == [100 * i + k for k in (2, 3, 4, 5)]
        assert split.train.y[i].tolist() == [100 * i + k for k in columns]


def test_scaling_of_series_is_learned_from_the_training_series_alone():
    values = np.random.default_rng(3).normal(10, 3, (40, 12))
    loud = values.copy()
    loud[28:] *= 1_000  # validation and test series
    task = Task(input_size=11, scaling="standard")
    calm, spiked = (split_by_series(v[:, :, None], task, origin=11, look_back=11) for v in (values, loud))
    assert np.array_equal(calm.train.x, spiked.train.x) and np.array_equal(calm.train.y, spiked.train.y)
    assert np.allclose(spiked.valid.loc, values[:28, :11].mean()) and np.allclose(spiked.test.scale, values[:28, :11].std())


@pytest.mark.parametrize(
    ("shares", "part"),
    [({"train": 0.04, "valid": 0.5}, "training"), ({"valid": 0.01}, "validation"), ({"train": 0.8, "valid": 0.17}, "test")],
    ids=["training", "validation", "test"],
)
def test_an_empty_part_of_series_is_refused_by_its_name(shares, part):
    with pytest.raises(BadInput, match=rf"^The {part} part of 10 series is empty: .*\.$"):
        load(Waves(n_series=10), Task(input_size=4, **shares))


@pytest.mark.parametrize(
    ("task", "part"),
    [
        (Task(input_size=15, train=0.5, valid=0.25), "training"),
        (Task(input_size=2, target="all_h", h=3, train=0.5, valid=0.1), "validation"),
        (Task(input_size=2, target="all_h", h=3, train=0.5, valid=0.4), "test"),
    ],
    ids=["training", "validation", "test"],
)
def test_a_part_without_windows_is_refused_by_its_name_and_says_what_a_window_needs(task, part):
    need = task.input_size + task.h
    with pytest.raises(BadInput, match=rf"No window fits into the {part} part: .* 20 values, one window needs {need} "):
        split_by_time(daily(a=(0, np.arange(20.0))), task)


def test_windows_cannot_be_written_to():
    split = load(Waves(n_series=10), Task(input_size=4))
    with pytest.raises(ValueError, match="read-only"):
        split.train.x[0] = 0


@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_windows_of_several_channels_hold_step_after_step_and_channel_after_channel(scaling):
    values = 1_000 * np.arange(3) ** 2 + np.arange(20)[:, None, None] * 10.0 + np.arange(9)[:, None]
    task = Task(input_size=4, target="all_h", h=2, channels="all", scaling=scaling)
    valid = split_by_series(values, task, origin=6, look_back=4).valid
    assert (
        valid.x.shape == (4, 4, 3) and valid.y_path.shape == (4, 2, 3) and valid.y.shape == (4, 6) and valid.n_targets == 3
    )
    for i, series in enumerate(range(14, 18)):
        np.testing.assert_allclose(valid.in_units(valid.y)[i], values[series, 6:8].ravel(), rtol=1e-6)
        for channel in range(3):
            np.testing.assert_allclose(valid.seen(channel)[i], values[series, 2:6, channel], rtol=1e-6)
    if scaling == "standard":
        np.testing.assert_allclose(valid.loc[0], values[:14, 2:6].mean(axis=(0, 1)))
    only = split_by_series(values, task.model_copy(update={"channels": "one"}), origin=6, look_back=4).valid
    assert np.array_equal(only.y, valid.y[:, ::3]) and np.array_equal(only.x, valid.x)


@pytest.mark.parametrize(
    "source", [Waves(n_series=40, level=7, n_channels=2), Sample(name="sunspots"), Sample(name="economy")]
)
def test_scaled_by_each_window_every_look_back_has_mean_0_and_deviation_1_and_goes_back_to_units(source):
    task = Task(input_size=9, target="all_h", h=3)
    plain, scaled = (load(source, task.model_copy(update={"scaling": how})) for how in ("none", "window"))
    for before, after in zip(plain.parts, scaled.parts, strict=True):
        np.testing.assert_allclose(after.x.mean(axis=1), 0, atol=1e-5)
        np.testing.assert_allclose(after.x.std(axis=1), 1, rtol=1e-4)
        np.testing.assert_allclose(after.in_units(after.y), before.y, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(after.seen(), before.x[:, :, 0], rtol=1e-4, atol=1e-4)


def test_a_look_back_that_never_changes_is_scaled_by_its_size():
    loc, scale = level_and_spread(np.array([[5.0, 5, 5], [0, 0, 0], [0.1, 0.1, 0.1]])[:, :, None])
    assert loc[:, 0].tolist() == pytest.approx([5, 0, 0.1]) and scale[:, 0].tolist() == [5, 1, 1]


def test_scaling_by_each_window_is_refused_where_it_would_reveal_masked_values():
    with pytest.raises(ValueError, match="would reveal the masked values"):
        Task(scaling="window", masked=0.2)


@pytest.mark.parametrize("fill", ["forward", "interpolation", "seasonal_line"])
def test_gaps_in_look_backs_are_filled_in_from_the_past_and_gaps_ahead_never(fill):
    y = np.sin(2 * np.pi * np.arange(60.0) / 6) + 0.1 * np.arange(60)
    y[[20, 21, 35, 36]] = np.nan
    spiked = y.copy()
    spiked[37:] += 1_000
    task = Task(input_size=12, train=0.5, valid=0.25)
    plain = split_by_time(daily(a=(0, y)), task)
    one, other = (split_by_time(daily(a=(0, values)), task, None, fill, 6) for values in (y, spiked))
    assert plain.left_out > one.left_out == 4
    for mine, theirs in zip(one.parts, other.parts, strict=True):
        early = mine.ds <= np.datetime64("2024-02-07")  # day 37 is the first that differs, and no look-back holds it yet
        np.testing.assert_array_equal(mine.x[early], theirs.x[early])
    assert all(np.isfinite(part.x).all() and np.isfinite(part.y).all() for part in one.parts)
