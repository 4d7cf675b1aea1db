"""Two recipes for networks: the chapter's, and one that was found by measuring (docs/performance.md)."""

from collections.abc import Sequence

from forecasting.experiment import Experiment, ModelChoice, Plan, Training
from forecasting.models import MODELS, Model, resolve
from forecasting.models.dense import MLP
from forecasting.panels.cutting import n_windows
from forecasting.panels.forecasters import MOST_WINDOWS, batch_for
from forecasting.panels.panel import Panel
from forecasting.panels.tasks import task_of

RECIPES = {
    "tuned": Training(epochs=30, learning_rate=0.02, schedule="cosine", warm_up=0.1, clip_norm=1.0, keep="best"),
    "chapter": Training(),
}
FOR_SERIES = Training(
    epochs=20, batch_size=256, learning_rate=0.002, schedule="cosine", warm_up=0.0, clip_norm=1.0, loss="mae"
)
"""How networks learn from the windows of whole series: docs/performance.md has what was tried."""
GRADIENT_STEPS = 500
"""Steps after which they have learned what the windows have in common; further ones learn by heart what does not return."""
EPOCHS = (3, 40)


def for_series(panel: Panel, plan: Plan) -> Training:
    """How networks learn from the windows of a panel: in as many epochs as come to `GRADIENT_STEPS`, about.

    Args:
        panel: the series.
        plan: what is asked.
    """
    n = 0
    if any(len(y) > plan.cutoff_offsets()[0] for y in panel.y):
        task = task_of(panel, plan, plan.cutoff_offsets()[0], MLP())
        n = min(n_windows(panel, task, plan.cutoff_offsets()[0]), MOST_WINDOWS)
    steps = max(1, -(-n // batch_for(n, FOR_SERIES)))
    epochs = min(EPOCHS[1], max(EPOCHS[0], round(GRADIENT_STEPS / steps)))
    return FOR_SERIES.model_copy(update={"epochs": epochs})


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
