"""Recipes: what they set, and that a set of settings is known for the recipe that it follows."""

import pytest

from forecasting import Experiment, ModelChoice, Training, fits_of
from forecasting.models import MODELS, resolve
from forecasting.studies.recipes import RECIPES, experiment, model_by_recipe, recipe_of


def test_the_chapters_recipe_is_what_an_empty_experiment_says():
    assert experiment("chapter") == Experiment()
    assert RECIPES["chapter"] == Training()


def test_the_tuned_comparison_has_both_baselines_tuned_networks_and_what_is_possible():
    names = [fit.model.name for fit in fits_of(experiment("tuned"))]
    assert names == ["naive", "linear", "deep_rnn_dense", "gru", "oracle"]
    assert {fit.training for fit in fits_of(experiment("tuned")) if fit.training} == {RECIPES["tuned"]}
    assert resolve(experiment("tuned").models[3]).label == "GRU, tuned"


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", MODELS)
def test_a_recipe_fits_every_model_and_is_recognised(recipe, name):
    model = resolve(model_by_recipe(name, recipe))
    if MODELS[name].tuned:
        assert (model == resolve(ModelChoice(name=name))) == (recipe == "chapter")
    longer = RECIPES[recipe].model_copy(update={"epochs": 77})
    assert recipe_of(longer, [model]) == recipe
    assert recipe_of(longer.model_copy(update={"batch_size": 31}), [model]) is None


def test_networks_of_another_recipe_or_of_none_are_told_from_it():
    tuned, chapter = (resolve(model_by_recipe("gru", recipe)) for recipe in ("tuned", "chapter"))
    own = resolve(ModelChoice(name="gru", params={"units": [7]}))
    for training in RECIPES.values():
        assert recipe_of(training, [tuned, chapter]) is None
        assert recipe_of(training, [own]) is None
    assert recipe_of(RECIPES["tuned"], [tuned, resolve(ModelChoice(name="arima"))]) == "tuned"
