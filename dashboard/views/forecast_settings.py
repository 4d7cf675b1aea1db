"""The settings of the Forecast page: which series, how far ahead, which models."""

from typing import Any

import streamlit as st
from pydantic import ValidationError

from dashboard import computed, service
from dashboard.components import number, optional, parameter, select, slider, start, when_open
from dashboard.state import NothingChosen, draft, fresh_widgets, key
from dashboard.views import sidebar, training_form
from dashboard.views.upload import upload
from dashboard.words import escaped, spoken
from forecasting.experiment import BadInput, Experiment, ModelChoice, Plan, Sample, Training, Upload, plain
from forecasting.models import MODELS
from forecasting.models.dense import MLP
from forecasting.panels.backtest import DEFAULT, default_plan
from forecasting.panels.tasks import task_of
from forecasting.studies.recipes import FOR_SERIES, for_series

Chosen = dict[str, Any]
"""`kind` of the source, `plan`, `models` by name, `training`, `seed`, `budget_s`, the source that the plan was `fitted` to,
its horizon then (`usual_h`) and how often (`fits`); `taken` is the experiment that a link or a run has brought."""
HOW: dict[str, Any] = {"training": FOR_SERIES, "seeds": (1,), "budget_s": 240.0}
"""How networks are trained where nothing else is chosen, and the time that all models may take."""


def chosen() -> Chosen:
    """The settings as the widgets hold them."""
    if "forecast_settings" not in st.session_state:
        kind = draft()["kind"]
        how = {"training": HOW["training"].model_dump(), "seed": HOW["seeds"][0], "budget_s": HOW["budget_s"]}
        named = {"kind": "sample" if kind == "waves" else kind, "plan": None, "models": list(DEFAULT)}
        st.session_state["forecast_settings"] = named | how
    return st.session_state["forecast_settings"]


def take(experiment: Experiment) -> None:
    """Let the widgets show an experiment with a plan."""
    draft()["sources"][experiment.source.kind] = experiment.source.model_dump()
    st.session_state["forecast_settings"] = {
        "kind": experiment.source.kind,
        "plan": experiment.plan and experiment.plan.model_dump(),
        "models": [choice.name for choice in experiment.models],
        "fitted": experiment.source.canonical(),
        "training": experiment.training.model_dump(),
        "seed": experiment.seeds[0],
        "budget_s": experiment.budget_s,
        "taken": experiment,
    }
    fresh_widgets()


def take_sample() -> None:
    """Let the widgets show a sample."""
    chosen()["kind"] = "sample"
    fresh_widgets()


def allow(budget_s: float) -> None:
    """Raise the time budget to so many seconds."""
    chosen()["budget_s"] = budget_s
    fresh_widgets()


def settings() -> Experiment:
    """Draw all settings; return the experiment that they describe.

    Raises:
        NothingChosen: when there is no file yet.
        BadInput: when a value cannot be used.
    """
    values = chosen()
    with st.sidebar:
        source = _series(values)
        _fit_plan(values, source)
        _plan(values["plan"], values.get("fits", 0), computed.seasons_found(source))
        seen = st.empty()
        names = _models(values)
        _training(values)
    try:
        plan = Plan.model_validate(values["plan"])
        asked = Experiment(
            source=source,
            plan=plan,
            models=tuple(ModelChoice(name=name) for name in names),
            training=values["training"],
            seeds=(values["seed"],),
            budget_s=values["budget_s"],
        )
    except ValidationError as error:
        raise plain(error) from None
    seen.caption(_seen(source, plan))
    return computed.decided(asked, values.get("taken"))


def _seen(source: Sample | Upload, plan: Plan) -> str:
    """What models that learn from windows see, in a sentence."""
    panel, back = computed.panel_of(source), plan.cutoff_offsets()[0]
    try:
        linear, dense = (task_of(panel, plan, back, model) for model in (None, MLP()))
    except BadInput as error:
        return escaped(str(error))
    how = {
        "none": "as they are",
        "first": "as changes since the step before",
        "seasonal": f"as changes since {plan.season_length} steps before",
        "last_season": f"and learn differences to the last {plan.season_length} repeated",
        "both": f"as changes since the step and since {plan.season_length} steps before",
    }
    closed = "" if panel.opening is None else f" {panel.opening.in_words}"
    return (
        f"Networks see {dense.input_size} steps, {how[dense.differencing]}; linear models {linear.input_size}, "
        f"{how[linear.differencing]}. Each window is in its own scale.{closed}"
    )


def _series(values: Chosen) -> Sample | Upload:
    st.subheader("Series")
    kind = st.segmented_control(
        "Source",
        ["sample", "upload"],
        default=start(key("forecast-kind"), values["kind"]),
        key=key("forecast-kind"),
        format_func=spoken,
        label_visibility="collapsed",
        width="stretch",
        required=True,
    )
    values["kind"] = kind
    sources = draft()["sources"]
    if kind == "upload":
        upload(draft())
        if "upload" not in sources:
            raise NothingChosen("No file is chosen yet.")
    else:
        sources.setdefault("sample", Sample(name="elnino").model_dump())
        sidebar.sample(draft())
    try:
        return (Upload if kind == "upload" else Sample).model_validate(sources[kind])
    except ValidationError as error:
        raise plain(error) from None


def _fit_plan(values: Chosen, source: Sample | Upload) -> None:
    """A plan that fits the series, once they have changed; the visitor may change it, and a horizon of their own stays."""
    before = values["plan"]
    if before is not None and values.get("fitted") == source.canonical():
        return
    panel, seasons = computed.panel_of(source), computed.seasons_found(source)
    plan = default_plan(panel, seasons=seasons)
    own = before is not None and "usual_h" in values and before["h"] != values["usual_h"]
    values["usual_h"] = plan.h
    if own and before["h"] <= panel.usual // 4:
        plan = default_plan(panel, before["h"], seasons)
    values["plan"], values["training"] = plan.model_dump(), for_series(panel, plan).model_dump()
    values["fitted"], values["fits"] = source.canonical(), values.get("fits", 0) + 1


def _plan(plan: dict[str, Any], fits: int, found: tuple[int, ...]) -> None:
    """The widgets of the plan; once it was fitted to other series they are others."""
    st.subheader("Task")
    plan["h"] = number(Plan, "h", plan["h"], key("plan-h", str(fits)))
    plan["season_length"] = number(Plan, "season_length", plan["season_length"], key("plan-season", str(fits)))
    plan["longer_seasons"] = parameter(Plan, "longer_seasons", plan["longer_seasons"], key("plan-longer", str(fits)))
    shown = " and ".join(f"one of {length:,} steps" for length in found)
    st.caption(f"Seasons that the series show: {shown or 'none'}.")
    plan["n_windows"] = number(Plan, "n_windows", plan["n_windows"], key("plan-cutoffs", str(fits)))
    when_open("Transforms, calendar", "plan-transforms", _transforms, plan, fits)
    when_open("More", "plan-more", _more_of_plan, plan, fits)


def _transforms(plan: dict[str, Any], fits: int) -> None:
    """What is done to the series before a model learns, and whether it sees the calendar."""
    for name in ("transform", "differencing"):
        plan[name] = select(Plan, name, plan[name], key(f"plan-{name}", str(fits)))
    for name in ("detrend", "deseasonalize", "calendar"):
        plan[name] = parameter(Plan, name, plan[name], key(f"plan-{name}", str(fits)))


def _more_of_plan(plan: dict[str, Any], fits: int) -> None:
    """What most visitors leave as it comes."""
    plan["step_size"] = optional(Plan, "step_size", plan["step_size"], plan["h"], key("plan-step", str(fits)))
    plan["input_size"] = optional(Plan, "input_size", plan["input_size"], 2 * plan["h"], key("plan-input", str(fits)))
    for name in ("selection", "members"):
        plan[name] = select(Plan, name, plan[name], key(f"plan-{name}", str(fits)))
    plan["refit"] = parameter(Plan, "refit", plan["refit"], key("plan-refit", str(fits)))


def _models(values: Chosen) -> list[str]:
    st.subheader("Models")
    offered = [name for name, model in MODELS.items() if not model.reference]
    names = st.multiselect(
        "Models",
        offered,
        start(key("plan-models"), values["models"]),
        key=key("plan-models"),
        format_func=lambda name: MODELS[name].title,
        label_visibility="collapsed",
    )
    values["models"] = names
    if not names:
        raise BadInput("No model is chosen: choose at least one in the side bar.")
    return names


def _training(values: Chosen) -> None:
    """How long all may take, and how the networks are trained."""
    training, limits = values["training"], service.settings()
    st.subheader("Training")
    values["budget_s"] = optional(Experiment, "budget_s", values["budget_s"], HOW["budget_s"], key("forecast", "budget"))
    fitted = key("forecast", "epochs", str(values.get("fits", 0)))  # to other series other epochs fit
    training["epochs"] = slider(Training, "epochs", training["epochs"], fitted, most=limits.max_epochs)
    when_open("Batch, rate, loss, seed", "forecast-training", _more_of_training, values)


def _more_of_training(values: Chosen) -> None:
    """What most visitors leave as it comes."""
    training_form.how(values["training"], "forecast")
    values["seed"] = int(
        st.number_input(
            "Seed",
            0,
            2**31 - 1,
            start(key("forecast", "seed"), values["seed"]),
            key=key("forecast", "seed"),
            help="Of the networks: first weights, and the order of the windows.",
        )
    )
    training_form.device(values["training"], "forecast")
