"""The command line, as a shell runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dashboard.state import OPENING
from forecasting import Experiment, ModelChoice, Sample
from forecasting.cli.app import app
from forecasting.data import floor_of
from forecasting.experiment import Plan
from forecasting.experiment.formats import dumped, read_experiment
from forecasting.models import MODELS
from forecasting.panels import read_panel
from forecasting.panels.backtest import backtest
from forecasting.runs.store import Store
from tests.whole_series import asked

ROOT = Path(__file__).parents[2]
FIT_KEYS = {
    "model",
    "params",
    "seed",
    "status",
    "valid_mse",
    "test_mse",
    "valid_mse_per_step",
    "parameters",
    "epochs",
    "fit_s",
    "error",
}


def lab(
    *arguments: object, given: str | None = None, within_s: float = 120.0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m forecasting` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "forecasting", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "FORECASTING_SLOTS": "1", **environment},
        input="" if given is None else given,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def called(*arguments: object, given: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same within this process, for what is refused before anything is done: a process would load for two seconds."""
    done = CliRunner().invoke(app, [*map(str, arguments)], given, {"FORECASTING_SLOTS": "1", **environment})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of standard error, of a command that was refused."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert "Traceback" not in sentence
    assert sentence.rstrip().endswith(".")
    return sentence


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the experiment and the database of this module lie."""
    return tmp_path_factory.mktemp("command line")


@pytest.fixture(scope="module")
def database(folder: Path) -> str:
    """A database of its own."""
    return f"sqlite:///{folder / 'lab.db'}"


@pytest.fixture(scope="module")
def experiment(small) -> Experiment:
    """A small experiment with two seeds."""
    return small("linear", "simple_rnn", seed=7, epochs=2).model_copy(update={"title": "Small waves", "seeds": (1, 2)})


@pytest.fixture(scope="module")
def file(folder: Path, experiment: Experiment) -> Path:
    """The experiment as a file."""
    path = folder / "experiment.json"
    path.write_text(experiment.model_dump_json(indent=2), "utf-8")
    return path


@pytest.fixture(scope="module")
def first_run(file: Path, database: str) -> subprocess.CompletedProcess[str]:
    """The experiment, run for the first time."""
    return lab("run", file, "--json", "--database", database)


def test_example_prints_an_experiment_that_can_be_read_again():
    done = lab("example")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(json.loads(done.stdout)) == ["format", *Experiment.model_fields]
    read = read_experiment(done.stdout)
    assert read.model_copy(update={"title": ""}) == Experiment()
    assert read.title
    assert read_experiment(dumped(read)) == read


def test_example_prints_what_the_dashboard_opens_with_too():
    done = called("example", "--recipe", "tuned")
    assert read_experiment(done.stdout).model_copy(update={"title": ""}) == OPENING
    refused = called("example", "--recipe", "secret")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "choose from tuned, chapter" in refused.stderr


def test_models_names_every_model_and_every_parameter():
    done = called("models")
    assert (done.returncode, done.stderr) == (0, "")
    blocks = {}
    for line in done.stdout.splitlines():
        if not line.startswith(" "):
            name = line.split(":")[0]
            blocks[name] = set()
        else:
            blocks[name].add(line.split("=")[0].strip())
    assert blocks == {name: set(model.model_fields) for name, model in MODELS.items()}


@pytest.mark.slow
def test_run_mixes_the_ensembles_of_an_experiment(experiment, database, tmp_path):
    models = (*experiment.models, ModelChoice(name="ensemble"), ModelChoice(name="ensemble", params={"weights": "equal"}))
    path = tmp_path / "ensembles.json"
    path.write_text(experiment.model_copy(update={"models": models}).canonical())
    done = lab("run", path, "--json", "--database", database)
    weighted, equal = json.loads(done.stdout)["ensembles"]
    assert (weighted["params"], equal["params"]) == ({}, {"weights": "equal"})
    names = ["Linear, least squares", "SimpleRNN(1), seed 1", "SimpleRNN(1), seed 2"]
    for row in (weighted, equal):
        assert [member["model"] for member in row["members"]] == names
        assert sum(member["share"] for member in row["members"]) == pytest.approx(1)
    assert weighted["valid_mse"] < equal["valid_mse"]
    assert "Ensemble, mean" in lab("run", path, "--database", database).stdout


@pytest.mark.slow
def test_run_prints_the_backtest_of_an_experiment_that_forecasts_whole_series(database, tmp_path):
    file, names = tmp_path / "plan.json", ("naive", "seasonal_naive", "linear", "gru", "ensemble")
    plan = Plan(h=2, season_length=4, n_windows=2)
    models = tuple(ModelChoice(name=name) for name in names)
    file.write_text(Experiment(source=Sample(name="gdp"), plan=plan, models=models).model_dump_json())
    done = lab("run", file, "--json", "--database", database)
    assert done.returncode == 0, done.stderr  # what is left out beforehand is no fit that could fail
    printed = json.loads(done.stdout)
    lines = {line["model"]: line for line in printed["models"]}
    assert set(lines) == {"naive", "seasonal_naive", "linear"} and printed["best"] == printed["models"][0]["model"]
    assert "too few" in printed["left_out"]["gru"]
    expected = backtest(read_panel(Sample(name="gdp")), asked(plan, ("naive", "linear"))).scores()
    assert lines["linear"]["mase"] == pytest.approx(expected["linear"]["mase"])


def test_run_prints_one_json_object_and_nothing_else_on_standard_output(first_run, experiment):
    assert first_run.returncode == 0, first_run.stderr
    told = json.loads(first_run.stdout)
    assert list(told) == ["run", "noise_floor", "fits", "ensembles"]
    assert told["noise_floor"] == pytest.approx(floor_of(experiment.source))
    assert [set(fit) for fit in told["fits"]] == [FIT_KEYS] * 4
    assert [(fit["model"], fit["seed"], fit["status"], fit["epochs"]) for fit in told["fits"]] == [
        ("naive", None, "finished", None),
        ("linear", None, "finished", None),
        ("simple_rnn", 1, "finished", 2),
        ("simple_rnn", 2, "finished", 2),
    ]
    assert [fit["parameters"] for fit in told["fits"]] == [0, 9, 3, 3]
    for fit in told["fits"]:
        assert fit["valid_mse_per_step"] == [pytest.approx(fit["valid_mse"])]
        assert fit["test_mse"] > 0
        assert fit["fit_s"] > 0
        assert fit["error"] is None


def test_run_shows_its_progress_on_standard_error(first_run):
    for label in ("Naive", "Linear, least squares", "SimpleRNN(1), seed 1", "SimpleRNN(1), seed 2"):
        assert label in first_run.stderr
    assert "2/2" in first_run.stderr
    assert "Traceback" not in first_run.stderr


def test_the_same_file_again_takes_the_fits_that_are_known(first_run, file, database):
    again = lab("run", file, "--json", "--database", database)
    assert again.returncode == 0, again.stderr
    first, second = json.loads(first_run.stdout), json.loads(again.stdout)
    assert second["run"] != first["run"]
    assert second["fits"] == first["fits"]


def test_without_json_run_prints_a_table(first_run, file, database):
    told = json.loads(first_run.stdout)
    done = lab("run", file, "--database", database)
    assert done.returncode == 0, done.stderr
    for text in ("Small waves", "Naive", "Linear, least squares", "SimpleRNN(1)", "finished", "Noise floor: "):
        assert text in done.stdout
    for fit in told["fits"]:
        assert f"{fit['valid_mse']:.3g}" in done.stdout


def test_run_reads_standard_input_and_the_database_named_in_the_environment(first_run, experiment, database):
    done = lab("run", "-", "--json", given=experiment.canonical(), FORECASTING_DATABASE_URL=database)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fits"] == json.loads(first_run.stdout)["fits"]


def test_a_fit_that_fails_gives_exit_status_1_and_its_reason(tmp_path):
    upload = {"source": {"kind": "upload", "upload_id": "abcdefgh23456789"}, "models": [{"name": "naive"}]}
    done = lab("run", "-", "--json", "--database", f"sqlite:///{tmp_path / 'lab.db'}", given=json.dumps(upload))
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["noise_floor"] is None
    (fit,) = told["fits"]
    assert fit["status"] == "failed"
    assert "was deleted by its owner" in fit["error"]
    assert (fit["valid_mse"], fit["test_mse"], fit["fit_s"]) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("this is no JSON", "JSON"),
        ('{"models": [{"name": "prophet"}]}', "prophet"),
        ('{"models": [{"name": "lstm", "params": {"units": [0]}}]}', "LSTM"),
        ('{"epochs": 3}', "epochs"),
    ],
    ids=["no JSON", "unknown model", "parameter out of range", "unknown setting"],
)
def test_an_experiment_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, text, named):
    sentence = one_sentence(called("run", "-", "--database", f"sqlite:///{tmp_path / 'lab.db'}", given=text))
    assert named in sentence


def test_a_file_that_is_not_there_is_refused_in_one_sentence_without_error_numbers(tmp_path):
    sentence = one_sentence(called("run", tmp_path / "nothing.json", "--database", f"sqlite:///{tmp_path / 'lab.db'}"))
    assert "nothing.json" in sentence
    assert "Errno" not in sentence


def test_a_file_that_is_no_text_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\xff\xfe")
    sentence = one_sentence(called("run", tmp_path / "picture.json", "--database", f"sqlite:///{tmp_path / 'lab.db'}"))
    assert "codec" not in sentence


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////proc/nowhere/lab.db"])
def test_a_database_that_cannot_be_opened_is_refused_in_one_sentence(url, experiment):
    one_sentence(called("run", "-", "--database", url, given=experiment.canonical()))


@pytest.mark.parametrize("slots", [0, -1])
def test_a_number_of_slots_that_makes_no_sense_is_refused(slots, small, tmp_path):
    arguments = ("run", "-", "--slots", slots, "--database", f"sqlite:///{tmp_path / 'lab.db'}")
    done = called(*arguments, given=small("naive").canonical())
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------------------------------------------------ continue


@pytest.mark.slow
def test_continue_trains_the_networks_of_a_run_on(first_run, database):
    run_id = json.loads(first_run.stdout)["run"]
    done = lab("continue", run_id, "--epochs", 3, "--json", "--database", database)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["run"] != run_id
    assert [(fit["model"], fit["seed"], fit["status"], fit["epochs"]) for fit in told["fits"]] == [
        ("naive", None, "finished", None),
        ("linear", None, "finished", None),
        ("simple_rnn", 1, "finished", 2 + 3),
        ("simple_rnn", 2, "finished", 2 + 3),
    ]
    assert told["fits"][:2] == json.loads(first_run.stdout)["fits"][:2]
    assert "5/5" in done.stderr
    store = Store(database)
    before, after = store.run(run_id), store.run(told["run"])
    assert after.title == "Small waves"
    for short, long in zip(before.fits[2:], after.fits[2:], strict=True):
        assert (long.parent_id, long.epochs_before) == (short.id, 2)
        assert long.epochs[:2] == short.epochs
    assert [fit.result["epochs"] for fit in before.fits[2:]] == [2, 2], "the first run keeps its results"


@pytest.mark.parametrize(
    ("run_id", "epochs", "says"),
    [("nowhere", 3, "nothing can go on from it"), ("first", 10_000, "10000 or less is needed")],
    ids=["unknown run", "too many epochs"],
)
def test_a_run_that_cannot_be_continued_is_refused_in_one_sentence(first_run, database, run_id, epochs, says):
    run_id = json.loads(first_run.stdout)["run"] if run_id == "first" else run_id
    assert says in one_sentence(called("continue", run_id, "--epochs", epochs, "--database", database))


# ---------------------------------------------------------------------------------------------------------------- work


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT], ids=lambda ending: ending.name)
def test_work_does_what_is_queued_and_gives_back_what_it_is_at_when_it_is_ended(small, tmp_path, eventually, ending):
    database = f"sqlite:///{tmp_path / 'lab.db'}"
    store = Store(database)
    command = [sys.executable, "-m", "forecasting", "work", "--slots", "1", "--database", database]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stderr=log,
            stdout=log,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell in the background has it ignored
        )
    try:
        done = store.start_run(small("naive", "simple_rnn"), "a visitor")
        eventually(lambda: store.run(done).ended)
        long = store.start_run(small("simple_rnn", waves={"n_series": 10_000}, epochs=300, batch_size=2), "a visitor")
        eventually(lambda: store.run(long).fits[-1].epochs)
        if ending == signal.SIGTERM:
            process.terminate()
        else:  # a terminal sends it to the workers too
            os.killpg(process.pid, ending)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    assert [fit.status for fit in store.run(done).fits] == ["finished", "finished"]
    assert store.run(long).fits[-1].status == "queued"
    assert store.lease("another").attempt == 1, "what was given back in an orderly manner is no failed attempt"
    told = (tmp_path / "log").read_text()
    assert f"Works on {database} (slots: 1)." in told
    assert f"of run {done}: simple_rnn, attempt 1, starts" in told
    assert "Traceback" not in told


# ------------------------------------------------------------------------------------------------------------- chapter


@pytest.mark.slow
def test_chapter_works_on_its_own_runs_alone(small, tmp_path):
    database = f"sqlite:///{tmp_path / 'lab.db'}"
    store = Store(database)
    run_id = store.start_run(small("naive", "simple_rnn"), "a stranger")
    two_rows = (
        "from forecasting.cli import app, studies; studies.LINES = studies.LINES[1:3]; "
        f"app.app(['chapter', '--seeds', '1', '--json', '--slots', '2', '--database', {database!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", two_rows], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    trained, exact = json.loads(done.stdout)["rows"]
    assert trained["valid_mse"] > exact["valid_mse"] > 0
    assert [fit.status for fit in store.run(run_id).fits] == ["queued", "queued"]


# ------------------------------------------------------------------------------- what cannot be used, and what it hides


def test_a_wrong_setting_is_refused_in_one_sentence_that_names_it(small, tmp_path):
    arguments = ("run", "-", "--database", f"sqlite:///{tmp_path / 'lab.db'}")
    done = called(*arguments, given=small("naive").canonical(), FORECASTING_MAX_FIT_S="an hour")
    assert one_sentence(done).startswith("FORECASTING_MAX_FIT_S is 'an hour': ")
    assert not (tmp_path / "lab.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://lab:geheim@127.0.0.1:1/lab",
        "postgresql://127.0.0.1:1/lab?user=lab&password=geheim",
        "postgresql://lab:geheim@127.0.0.1:port/lab",
        "postgresql//lab:geheim@127.0.0.1/lab",
    ],
    ids=["nobody listens", "password behind", "no port", "no URL"],
)
def test_a_database_that_cannot_be_reached_is_refused_without_its_password(url, small):
    done = called("run", "-", given=small("naive").canonical(), FORECASTING_DATABASE_URL=url)
    assert "geheim" not in done.stdout + done.stderr
    sentence = one_sentence(done)
    assert "cannot be opened" in sentence and "127.0.0.1" in sentence


@pytest.mark.parametrize(
    ("content", "piped"),
    [
        (b"[" * 100_000, False),
        (b'{"source": {"kind": "a\\nb"}}', False),
        (b'{"\\u001b[31m": 1}', True),
        (b'{"title": "\xff\xfe"}', True),
    ],
    ids=["nested", "two lines", "colours", "no UTF-8"],
)
def test_a_hostile_file_is_refused_in_one_sentence_also_on_standard_input(content, piped, tmp_path):
    """Standard input is read strictly where somebody's language is set, as on most desktops."""
    (tmp_path / "hostile.json").write_bytes(content)
    file = "-" if piped else tmp_path / "hostile.json"
    done = subprocess.run(
        [sys.executable, "-m", "forecasting", "run", str(file), "--database", f"sqlite:///{tmp_path / 'lab.db'}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        input=content if piped else b"",
        capture_output=True,
        timeout=60,
        check=False,
    )
    told = [text.decode() for text in (done.stdout, done.stderr)]
    sentence = one_sentence(subprocess.CompletedProcess(done.args, done.returncode, *told))
    assert sentence.isprintable() and len(sentence) < 300 + len(str(tmp_path))
    assert not (tmp_path / "lab.db").exists()
