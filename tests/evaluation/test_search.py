"""A search: what is tried next follows from the settings and from what is known, and from nothing else."""

import math
from dataclasses import replace

import numpy as np
import pytest

from forecasting import BadInput, Experiment, ModelChoice, Sample, Training
from forecasting.evaluation.fits import fits_of
from forecasting.evaluation.search import (
    PRUNED_FROM,
    TRAINING_SEARCHED,
    Trial,
    best_of,
    fit_of,
    importance,
    known_to,
    pruned_after,
    refuse_unusable,
    suggested,
    usual_search,
    with_settings,
)
from forecasting.experiment import Options, Plan, Range, Search
from forecasting.experiment.formats import dumped, read_experiment

EPOCHS = 9


def experiment(**changes) -> Experiment:
    made = Experiment(models=(ModelChoice(name="naive"), ModelChoice(name="gru")), training=Training(epochs=EPOCHS))
    return made.model_copy(update={"search": usual_search(made).model_copy(update=changes)})


def error_of(settings: dict) -> float:
    """Lowest at a learning rate of 0.01 and two layers."""
    away = math.log10(settings.get("training.learning_rate", 0.001) / 0.01)
    return 0.1 + away**2 + (settings.get("params.units.layers", 3) - 2) ** 2


def curve_of(value: float) -> tuple[float, ...]:
    return tuple(value * (1 + 2 / epoch) for epoch in range(1, EPOCHS + 1))


def searched(wanted: Experiment, n: int) -> list[Trial]:
    """So many trials, each told as soon as another waits for it."""
    trials: list[Trial] = []
    while len(trials) < n:
        for trial in trials[: known_to(wanted.search, len(trials))]:
            if trial.state == "open":
                value = error_of(trial.settings)
                curve = curve_of(value)
                early = pruned_after(wanted, trials, trial.number, curve)
                told = {"state": "complete", "value": value} if early is None else {"state": "pruned"}
                trials[trial.number] = replace(trial, curve=curve[:early], **told)
        settings, fit = suggested(wanted, trials)
        trials.append(Trial(len(trials), settings, fit.id))
    return trials


def test_the_first_trial_has_the_settings_as_they_are_and_others_stay_within_their_ranges():
    wanted = experiment()
    trials = searched(wanted, 25)
    assert trials[0].settings == {} and trials[0].fit_id == fits_of(wanted)[-1].id
    for trial in trials[1:]:
        assert 0.001 <= trial.settings["training.learning_rate"] <= 0.05
        assert 8 <= trial.settings["params.units"] <= 64 and trial.settings["params.units.layers"] in (1, 2, 3)
    assert len({trial.fit_id for trial in trials}) == 25, "nothing is tried twice"


def test_it_finds_better_settings_than_those_drawn_at_random_first():
    wanted = experiment()
    trials = searched(wanted, 40)
    first = min(error_of(trial.settings) for trial in trials[:9])
    best = best_of(trials)
    assert best.number > 9 and best.value < first and best.value < 0.12
    shares = importance(wanted, trials)
    assert sum(shares.values()) == pytest.approx(1)
    assert {max(shares, key=shares.get)} < {"training.learning_rate", "params.units.layers"}


def test_it_does_not_depend_on_what_happens_to_be_done_already():
    wanted = experiment()
    trials = searched(wanted, 20)
    done = [replace(trial, state="complete", value=1.0, curve=curve_of(1.0)) for trial in trials]
    n_known = known_to(wanted.search, 20)
    assert n_known == 18
    assert suggested(wanted, trials) == suggested(wanted, [*trials[:n_known], *done[n_known:]])
    assert suggested(wanted, trials) != suggested(wanted, [*done[:n_known], *trials[n_known:]])


def test_nor_on_the_order_in_which_settings_were_written_down():
    wanted = experiment()
    again = read_experiment(dumped(wanted))
    assert list(again.search.params) != list(wanted.search.params)
    assert searched(again, 15) == searched(wanted, 15)


def test_another_seed_tries_others():
    one, other = searched(experiment(), 6), searched(experiment(seed=2), 6)
    assert all(a.settings != b.settings for a, b in zip(one[1:], other[1:], strict=True))


def test_a_trial_ends_where_its_best_epoch_is_worse_than_the_median_of_the_others_at_the_same_one():
    wanted, rng = experiment(trials=20), np.random.default_rng(3)
    space = {"training.learning_rate": 0.01, "training.schedule": "constant"}
    known = [Trial(n, space, f"{n}", "complete", 1.0, tuple(rng.random(EPOCHS).tolist())) for n in range(14)]
    first, pruned = math.ceil(PRUNED_FROM * EPOCHS), 0
    for _ in range(40):
        curve = rng.random(EPOCHS) * 1.2
        ends = [e for e in range(first, EPOCHS + 1) if curve[:e].min() > np.median([trial.curve[e - 1] for trial in known])]
        trials = [*known, Trial(14, space, "14"), Trial(15, space, "15")]
        found = pruned_after(wanted, trials, 16, curve.tolist())
        assert found == (ends[0] if ends else None)
        pruned += found is not None
    assert 0 < pruned < 40


def test_the_first_few_are_never_ended_early():
    wanted = experiment()
    assert pruned_after(wanted, [], 0, [9.0] * EPOCHS) is None
    known = [Trial(n, {}, f"{n}", "complete", 1.0, curve_of(1.0)) for n in range(3)]
    assert pruned_after(wanted, known, 3, [9.0] * EPOCHS) is None


def test_a_trial_is_the_fit_that_the_lab_would_do():
    wanted = experiment()
    settings, fit = suggested(wanted, searched(wanted, 5))
    chosen = with_settings(wanted, settings)
    assert chosen.search is None and fit == fits_of(chosen)[-1] == fit_of(wanted, settings)
    units = settings["params.units"]
    assert fit.model.params["units"] == [units] * settings["params.units.layers"]
    assert fit.training.learning_rate == settings["training.learning_rate"]


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (Search(model="gru", params={"wings": Range(low=1, high=2)}), "'wings' is no setting"),
        (Search(model="gru", training={"epochs": Range(low=1, high=2)}), "'epochs' is no setting"),
        (Search(model="gru", params={"units": Range(low=8, high=10_000)}), "from 8 to 10000 is beyond 1 to 256"),
        (Search(model="gru", params={"activation": Range(low=1, high=2)}), "no range: give the values"),
        (Search(model="gru", params={"activation": Options(values=("tanh", "sine"))}), "'sine' is none of its values"),
    ],
)
def test_what_cannot_vary_is_refused_in_a_sentence(search: Search, said: str):
    with pytest.raises(BadInput, match=said):
        refuse_unusable(experiment().model_copy(update={"search": search}))


def test_a_search_needs_its_model_once_and_windows():
    search = Search(model="gru", training=dict(TRAINING_SEARCHED))
    gru = ModelChoice(name="gru")
    for wrong, said in (
        ({"models": (ModelChoice(name="lstm"),)}, "has to be among the models, once"),
        ({"models": (gru, ModelChoice(name="gru", params={"units": [8]}))}, "once"),
        ({"models": (gru,), "source": Sample(name="gdp"), "plan": Plan(h=2, season_length=4)}, "over windows"),
        ({"models": (gru,), "budget_s": 5}, "a budget of its own"),
    ):
        with pytest.raises(ValueError, match=said):
            Experiment(search=search, **wrong)
    with pytest.raises(ValueError, match="begins below its end"):
        Range(low=2, high=1)
    with pytest.raises(ValueError, match="Nothing varies"):
        Search(model="gru")
    with pytest.raises(BadInput, match="is not among the models"):
        usual_search(experiment(), "lstm")
    with pytest.raises(BadInput, match="None of the models is trained"):
        usual_search(Experiment(models=(ModelChoice(name="linear"),)))
