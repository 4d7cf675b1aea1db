"""`search`, as a shell runs it: it finds a setting, prints it, and writes it down."""

import json

import pytest

from forecasting import Experiment, ModelChoice, Task, Training, Waves
from forecasting.evaluation.fits import fits_of
from forecasting.experiment.formats import dumped, read_experiment
from tests.cli.test_command_line import called, lab, one_sentence


def experiment() -> Experiment:
    return Experiment(
        source=Waves(n_series=60),
        task=Task(input_size=8),
        models=(ModelChoice(name="linear_sgd"),),
        training=Training(epochs=2),
    )


@pytest.mark.slow
def test_search_tries_as_many_as_it_is_told_and_writes_the_best_down(tmp_path):
    url, best = f"sqlite:///{tmp_path / 'lab.db'}", tmp_path / "best.json"
    given = dumped(experiment())
    done = lab("search", "-", "--trials", 5, "--to", best, "--json", "--database", url, given=given)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [trial["number"] for trial in told["trials"]] == [0, 1, 2, 3, 4]
    complete = {trial["number"]: trial["value"] for trial in told["trials"] if trial["state"] == "complete"}
    assert told["best"] == min(complete, key=complete.get)
    found = read_experiment(best.read_text())
    assert found == read_experiment(json.dumps(told["experiment"])) and found.search is None
    assert fits_of(found)[-1].id == told["trials"][told["best"]]["fit_id"]

    again = lab("search", "-", "--trials", 5, "--database", url, given=given)
    assert again.returncode == 0 and "as given" in again.stdout and "test is the judge" in again.stdout


def test_a_search_of_what_is_not_there_is_refused_in_one_sentence(tmp_path):
    arguments = ("search", "-", "--database", f"sqlite:///{tmp_path / 'lab.db'}")
    given = dumped(experiment())
    assert "lstm, is not among the models" in one_sentence(called(*arguments, "--model", "lstm", given=given))
    assert "minutes: more than 0" in one_sentence(called(*arguments, "--minutes", "-1", given=given))
    instant = dumped(Experiment(models=(ModelChoice(name="linear"),)))
    assert "None of the models is trained" in one_sentence(called(*arguments, given=instant))
