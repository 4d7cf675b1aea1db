"""How often series have a value: months that are dated on a day of their own, beside what pandas knows."""

import calendar
from datetime import date

import numpy as np
import pandas as pd
import pytest

import forecasting
from forecasting.data.reading import read
from forecasting.data.reading.frequency import after, anchored, grid, in_words, infer_frequency


def on_day(day: int, each: int, n: int, year: int = 2019, month: int = 1) -> list[date]:
    """Months as far apart, on a day or the last one of shorter months, counted by the calendar of the standard library."""
    months = [divmod(12 * year + month - 1 + each * k, 12) for k in range(n)]
    return [date(y, m + 1, min(day, calendar.monthrange(y, m + 1)[1])) for y, m in months]


@pytest.mark.parametrize(("day", "each"), [(15, 1), (30, 1), (29, 1), (10, 3), (30, 6), (2, 12)])
def test_months_on_a_day_are_found_continued_and_their_gaps_seen(day, each):
    days = on_day(day, each, 30)
    times = pd.Series(pd.to_datetime(days[:24]))
    frequency = infer_frequency(times)
    assert frequency == f"{each if each > 1 else ''}MS-{day}"
    assert list(after(times.iloc[-1], 6, frequency).date) == days[24:]
    assert list(grid(times[3], times[20], frequency).date) == days[3:21]
    lacking = times.drop(index=[8, 15])
    assert infer_frequency(lacking) == frequency
    content = pd.DataFrame({"ds": lacking, "y": np.arange(22.0)}).to_csv(index=False).encode()
    reading = read(content)
    assert (reading.frequency, reading.gaps, reading.season_length) == (frequency, 2, max(1, 12 // each))


def test_what_pandas_knows_stays_and_other_days_have_no_frequency():
    for known in ("MS", "ME", "QS", "W-SUN", "D"):
        assert infer_frequency(pd.Series(pd.date_range("2020-01-01", periods=20, freq=known))) == known
    rng = np.random.default_rng(0)
    wandering = pd.Series([pd.Timestamp(2020 + k // 12, k % 12 + 1, int(rng.integers(2, 28))) for k in range(20)])
    assert infer_frequency(wandering) is None
    assert (in_words("MS-15"), in_words("3MS-30")) == ("monthly", "every 3 months")


def test_each_series_of_a_panel_keeps_its_own_day():
    assert anchored("MS-15", pd.Timestamp("2020-02-15")) == "MS-15"
    assert anchored("MS-30", pd.Timestamp("2020-02-29")) == "MS-30"
    assert anchored("MS-15", pd.Timestamp("2020-02-01")) == "MS"
    assert anchored("MS", pd.Timestamp("2020-02-10")) == "MS-10"
    frames = [pd.DataFrame({"unique_id": f"on {d}", "ds": on_day(d, 1, 40), "y": np.arange(40.0) % 12}) for d in (1, 15, 30)]
    ahead = forecasting.forecast(pd.concat(frames), 4, models=["seasonal_naive"]).frame
    for d in (1, 15, 30):
        one = ahead[ahead["unique_id"] == f"on {d}"]
        assert list(pd.DatetimeIndex(one["ds"]).date) == on_day(d, 1, 44)[40:]
        assert list(one["seasonal_naive"]) == [4, 5, 6, 7]
