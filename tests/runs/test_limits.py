"""Limits and settings: how large a fit may be, what the environment may say, what the machine gives, and the log."""

import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from forecasting import BadInput, Experiment, ModelChoice, Task, Training, Waves, logs
from forecasting.data import load
from forecasting.experiment.training import MOST_EPOCHS
from forecasting.runs.budget import allotted
from forecasting.runs.limits import Size
from forecasting.runs.machine import cores, memory_mb
from forecasting.settings import Settings

NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def refusal(size: Size, experiment: Experiment) -> str:
    """The sentence with which an experiment is refused, or nothing."""
    try:
        size.refuse_too_large(experiment, load(experiment.source, experiment.task))
    except BadInput as refused:
        assert str(refused).endswith(".") and "\n" not in str(refused)
        return str(refused)
    return ""


def of(*models: str, params: dict | None = None, **changes) -> Experiment:
    chosen = tuple(ModelChoice(name=name, params=params or {}) for name in models)
    return Experiment(**{"source": Waves(n_series=1_000), "models": chosen} | changes)


# --------------------------------------------------------------------------------------------------- how large a fit is


def test_the_chapters_deep_rnn_is_as_large_as_the_settings_say():
    """7,000 windows × 50 steps × (20 + 20 + 1) units are 14.35 million."""
    chapter = Experiment()
    assert refusal(Size(max_epochs=500, max_work=15), chapter) == ""
    sentence = refusal(Size(max_epochs=500, max_work=14), chapter)
    assert sentence.startswith("Deep RNN: 7,000 windows × 50 steps × 41 units make ")
    assert "this server allows 14" in sentence
    assert "has 14" in (Settings.model_fields["max_work"].description or "")


def test_the_sentence_never_says_that_a_fit_makes_no_more_than_is_allowed():
    sentence = refusal(Size(max_epochs=500, max_work=14), Experiment())
    made, allowed = (float(number.replace(",", "")) for number in NUMBER.findall(sentence)[-2:])
    assert made > allowed == 14


@pytest.mark.parametrize(
    ("model", "params", "units"),
    [
        ("linear_sgd", {}, 1),
        ("simple_rnn", {}, 1),
        ("deep_rnn", {"units": [100, 50]}, 151),
        ("deep_rnn_dense", {"units": [100, 50]}, 150),
        ("lstm", {"units": [256]}, 256),
        ("gru", {"units": [30, 20, 10]}, 60),
    ],
)
def test_the_work_of_a_fit_is_windows_times_look_back_times_units(model, params, units):
    experiment = of(model, params=params, source=Waves(n_series=10_000), task=Task(input_size=100))
    exactly = 7_000 * 100 * units / 1e6
    assert refusal(Size(500, max_work=int(exactly) + 1), experiment) == ""
    if exactly > 1:
        sentence = refusal(Size(500, max_work=int(exactly) - 1), experiment)
        assert f"7,000 windows × 100 steps × {units} units" in sentence
        assert f"this server allows {int(exactly) - 1:,}:" in sentence


def test_a_model_with_several_outputs_has_a_unit_for_each():
    task = Task(input_size=100, target="all_h", h=50)
    experiment = of("simple_rnn", source=Waves(n_series=10_000), task=task)
    assert "SimpleRNN(1): 7,000 windows × 100 steps × 50 units make 35 million" in refusal(Size(500, 34), experiment)
    assert refusal(Size(500, 35), experiment) == ""


def test_one_fit_that_is_too_large_is_enough_and_is_named():
    models = [{"name": name} for name in ("naive", "linear", "simple_rnn", "gru")]
    large = {"name": "gru", "params": {"units": [200]}}
    experiment = Experiment(source=Waves(n_series=1_000), models=(*models, large, models[-1]))
    assert refusal(Size(500, max_work=6), experiment).startswith("GRU 1 × 200: 700 windows × 50 steps × 200 units make 7 ")
    assert refusal(Size(500, max_work=7), experiment) == ""


def test_models_that_are_not_trained_cost_nothing():
    assert refusal(Size(max_epochs=500, max_work=1), of("naive", "linear", source=Waves(n_series=50_000))) == ""


def test_epochs_are_nothing_to_models_that_are_not_trained():
    experiment = of("naive", "linear", training=Training(epochs=500))
    assert refusal(Size(max_epochs=20, max_work=500), experiment) == ""


def test_too_many_epochs_are_refused_with_both_numbers():
    size = Size(max_epochs=20, max_work=500)
    assert refusal(size, of("simple_rnn", training=Training(epochs=20))) == ""
    sentence = refusal(size, of("simple_rnn", training=Training(epochs=21)))
    assert sentence == "21 epochs are asked for, and this server allows 20: take fewer."


def test_a_time_budget_has_no_epochs_to_be_refused_for():
    def budget(name: str) -> Experiment:
        return allotted(of(name).model_copy(update={"budget_s": 3_600}))

    assert refusal(Size(max_epochs=1, max_work=500), budget("simple_rnn")) == ""
    assert "units" in refusal(Size(max_epochs=1, max_work=1), budget("lstm"))


# ------------------------------------------------------------------------------------------------------------ settings

NUMBERS = (
    "SLOTS",
    "WORKER_THREADS",
    "WORKER_MB",
    "READER_MB",
    "MAX_FIT_S",
    "NO_PROGRESS_S",
    "MAX_EPOCHS",
    "MAX_WORK",
    "MAX_WAITING",
    "MAX_UPLOAD_MB",
    "MAX_STORED_MB",
    "KEEP_DAYS",
)
WORDS = ("LOG_LEVEL", "LOG_FORMAT")
WRONG = ("-1", "", "many", "1.5", "1e999", "two\nlines", "9" * 5_000, "NaN", "<b>1</b>")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have set some of these."""
    for name in [name for name in os.environ if name.startswith("FORECASTING_")]:
        monkeypatch.delenv(name)


def test_every_setting_is_known_to_these_tests():
    free = {"database_url", "cache_dir", "administrators"}
    assert set(Settings.model_fields) == {name.lower() for name in (*NUMBERS, *WORDS)} | free


@pytest.mark.parametrize("name", (*NUMBERS, *WORDS))
@pytest.mark.parametrize("value", WRONG, ids=lambda value: ascii(value[:9]))
def test_a_wrong_setting_gives_one_sentence_that_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(f"FORECASTING_{name}", value)
    with pytest.raises(BadInput, match=f"^FORECASTING_{name} is '") as refused:
        Settings.read()
    sentence = str(refused.value)
    assert sentence.endswith(".") and sentence.isprintable() and len(sentence) < 200
    assert "pydantic" not in sentence


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("SLOTS", 0, 64),
        ("WORKER_THREADS", 1, 64),
        ("WORKER_MB", 700, None),
        ("MAX_FIT_S", 1, None),
        ("NO_PROGRESS_S", 30, None),
        ("MAX_EPOCHS", 1, MOST_EPOCHS),
        ("MAX_WORK", 1, None),
        ("MAX_WAITING", 1, None),
        ("MAX_UPLOAD_MB", 1, 1_000),
        ("MAX_STORED_MB", 1, None),
        ("KEEP_DAYS", 0, None),
    ],
)
def test_the_bounds_of_a_setting_are_held(monkeypatch, name, low, high):
    for value, allowed in ((low, True), (low - 1, False), (high or 10**6, True), ((high or 10**6) + 1, high is None)):
        monkeypatch.setenv(f"FORECASTING_{name}", str(value))
        if allowed:
            assert getattr(Settings.read(), name.lower()) == value
        else:
            with pytest.raises(BadInput, match=f"FORECASTING_{name} is '{value}'"):
                Settings.read()


def test_settings_reach_the_limits_that_are_made_of_them(monkeypatch):
    values = {"max_waiting": 11, "max_stored_mb": 12, "max_epochs": 13, "max_work": 14}
    values |= {"max_fit_s": 15, "no_progress_s": 61, "worker_mb": 1_700, "worker_threads": 18, "cache_dir": "/tmp/19"}
    for name, value in values.items():
        monkeypatch.setenv(f"FORECASTING_{name.upper()}", str(value))
    read = Settings.read()
    assert vars(read.quota) == {"max_waiting": 11, "max_stored_mb": 12}
    assert vars(read.size) == {"max_epochs": 13, "max_work": 14}
    guard = {"max_fit_s": 15, "no_progress_s": 61, "worker_mb": 1_700, "threads": 18, "cache_dir": "/tmp/19"}
    assert vars(read.guard) == guard


def test_slots_that_are_asked_for_are_given(monkeypatch):
    monkeypatch.setenv("FORECASTING_SLOTS", "7")
    assert Settings.read().n_slots == 7


@pytest.mark.skipif(sys.platform != "linux", reason="The processors of a thread can be chosen on Linux alone.")
def test_without_a_number_there_are_no_more_slots_than_cores(monkeypatch):
    monkeypatch.setenv("FORECASTING_WORKER_MB", "700")
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert Settings.read().n_slots == 1
    finally:
        os.sched_setaffinity(0, mine)
    assert 1 <= Settings.read().n_slots <= len(mine)


def test_without_a_number_there_are_no_more_slots_than_fit_into_memory(monkeypatch):
    total = psutil.virtual_memory().total / 1e6
    monkeypatch.setenv("FORECASTING_WORKER_MB", str(max(700, int(total * 0.6))))
    assert Settings.read().n_slots == 1, "the second does not fit in"
    monkeypatch.setenv("FORECASTING_WORKER_MB", str(int(total * 10)))
    assert Settings.read().n_slots == 1, "one there always is"


# ------------------------------------------------------------------------------------------------------------- machine


def write(folder: Path, **files: str) -> Path:
    """A control group as the kernel shows it: names with two underscores lie in a folder."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("-", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


HERE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000\n", HERE),
        ("50000 100000\n", 1),
        ("100000 100000\n", 1),
        ("110000 100000\n", min(2, HERE)),
        ("150000 100000\n", min(2, HERE)),
        ("200000 100000\n", min(2, HERE)),
        ("25000 50000\n", 1),
        ("1000 100000\n", 1),
        ("6400000 100000\n", min(64, HERE)),
        ("", HERE),
    ],
)
def test_cores_are_no_more_than_a_container_is_given(tmp_path, text, expected):
    """As Linux' second kind of control groups writes it: quota and period in microseconds."""
    assert cores(write(tmp_path, **{"cpu.max": text})) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", HERE), ("50000", 1), ("150000", min(2, HERE))])
def test_cores_are_no_more_than_a_container_of_the_first_kind_is_given(tmp_path, quota, expected):
    files = {"cpu__cpu.cfs_quota_us": f"{quota}\n", "cpu__cpu.cfs_period_us": "100000\n"}
    assert cores(write(tmp_path, **files)) == expected


def test_without_a_container_the_machine_counts(tmp_path):
    assert cores(tmp_path / "nothing") == HERE
    assert memory_mb(tmp_path / "nothing") == psutil.virtual_memory().total // 1_000_000


@pytest.mark.parametrize("name", ["memory.max", "memory__memory.limit_in_bytes"])
def test_memory_is_no_more_than_a_container_is_given(tmp_path, name):
    total = psutil.virtual_memory().total // 1_000_000
    assert memory_mb(write(tmp_path, **{name: "536870912\n"})) == 536
    assert memory_mb(write(tmp_path, **{name: "9223372036854771712\n"})) == total, "as the kernel writes that there is none"
    assert memory_mb(write(tmp_path, **{name: "max\n"})) == total


# ----------------------------------------------------------------------------------------------------------------- log


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """The package's log, which is put back as it was."""
    logger = logging.getLogger("forecasting")
    before = logger.handlers, logger.propagate, logger.level
    yield logger
    logger.handlers, logger.propagate = before[:2]
    logger.setLevel(before[2])


def header(stream: io.StringIO) -> list[dict]:
    """What a log of JSON lines holds: one object per line, and nothing between."""
    text = stream.getvalue()
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def test_json_logs_have_one_object_per_line_whatever_is_said(log):
    logs.set_up("INFO", "json", stream := io.StringIO())
    nasty = 'two\nlines\r\nand \u2028 "quotes" \x1b[31m \x00 \ud800 {"level": "ERROR"}'
    log.getChild("runs").warning("said: %s", nasty, extra={"run": "one\nrun", "odd": {1, 2}})
    log.info("quiet")
    first, second = header(stream)
    assert first["message"] == f"said: {nasty}"
    assert (first["level"], first["logger"], first["run"]) == ("WARNING", "forecasting.runs", "one\nrun")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first["at"])
    assert second["message"] == "quiet"


def test_json_logs_hold_exceptions_in_the_same_line(log):
    logs.set_up("INFO", "json", stream := io.StringIO())
    try:
        raise ValueError("a\nb")
    except ValueError:
        log.exception("it failed", extra={"fit": "abc"})
    (line,) = header(stream)
    assert (line["message"], line["level"], line["fit"]) == ("it failed", "ERROR", "abc")
    assert line["error"].startswith("Traceback") and line["error"].endswith("ValueError: a\nb")


def test_text_logs_are_for_people(log):
    logs.set_up("INFO", "text", stream := io.StringIO())
    log.info("fit %s starts", "abc", extra={"fit": "abc"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO fit abc starts\n", stream.getvalue())


def test_the_level_is_held_and_a_second_call_replaces_the_first(log):
    logs.set_up("DEBUG", "text", first := io.StringIO())
    logs.set_up("WARNING", "json", second := io.StringIO())
    log.info("quiet")
    log.warning("loud")
    assert first.getvalue() == ""
    assert [line["message"] for line in header(second)] == ["loud"]


@pytest.mark.usefixtures("log")
def test_runs_and_fits_say_in_the_log_who_they_are(lab, small):
    logs.set_up("INFO", "json", stream := io.StringIO())
    run = lab.ended(lab.start(small("naive", "linear")))
    lab.eventually(lambda: stream.getvalue().count(f"of run {run.id}") == 4)
    lines = header(stream)
    (asked,) = [line for line in lines if "was asked for" in line["message"]]
    assert (asked["run"], asked["fits"]) == (run.id, [fit.id for fit in run.fits])
    for fit in run.fits:
        began, ended = (line for line in lines if line.get("fit") == fit.id)
        assert (began["run"], ended["run"]) == (run.id, run.id)
        assert "starts" in began["message"] and "ended after" in ended["message"]
        assert fit.fit.model.name in began["message"]
        assert began["at"] <= ended["at"]
