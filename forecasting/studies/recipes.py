"""Two recipes for networks: the chapter's, and one that was found by measuring (docs/performance.md)."""

from collections.abc import Sequence

from forecasting.experiment import Experiment, ModelChoice, Training
from forecasting.models import MODELS, Model, resolve

RECIPES = {
    "tuned": Training(epochs=30, learning_rate=0.02, schedule="cosine", warm_up=0.1, clip_norm=1.0, keep="best"),
    "chapter": Training(),
}


def model_by_recipe(name: str, recipe: str) -> ModelChoice:
    """A model with the parameters that a recipe gives it: the chapter leaves all at their defaults."""
    model = MODELS[name](**MODELS[name].tuned if recipe == "tuned" else {})
    return ModelChoice(name=name, params=model.model_dump(mode="json", exclude_defaults=True))


def experiment(recipe: str) -> Experiment:
    """The chapter's series and task, with its models and training; or tuned networks beside what is possible at all."""
    if recipe == "chapter":
        return Experiment()
    names = ("naive", "linear", "deep_rnn_dense", "gru", "ensemble", "oracle")
    return Experiment(models=tuple(model_by_recipe(name, recipe) for name in names), training=RECIPES[recipe])


def recipe_of(training: Training, models: Sequence[Model]) -> str | None:
    """The recipe that training settings and the parameters of networks follow, however long they train; None for none."""
    ends = training.model_dump(include={"epochs", "restarts", "device"})
    networks = [model for model in models if model.trained]
    for recipe, its in RECIPES.items():
        if training == its.model_copy(update=ends) and all(
            model == resolve(model_by_recipe(model.name, recipe)) for model in networks
        ):
            return recipe
    return None
