"""How the models that learn by gradient descent are trained."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from forecasting.experiment.values import Value, without

MOST_EPOCHS = 10_000
"""Passes over the training part that any fit may have; a server may allow fewer (`Settings.max_epochs`)."""


class Training(Value):
    """How the models that learn by gradient descent are trained."""

    epochs: int = Field(20, ge=1, le=MOST_EPOCHS, title="Epochs", description="Passes over the training part.")
    batch_size: int = Field(
        32,
        ge=1,
        le=4_096,
        title="Batch size",
        description="Windows per gradient step.",
        json_schema_extra={"offered": [8, 16, 32, 64, 128, 256, 512, 1_024]},
    )
    learning_rate: float = Field(
        0.001,
        gt=0,
        le=10,
        title="Learning rate",
        description="Size of the steps. Lower it when a loss turns NaN.",
        json_schema_extra={"offered": [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]},
    )
    schedule: Literal["constant", "cosine"] = Field(
        "constant",
        title="Rate over time",
        description="Constant, or a cosine: it rises at first, and falls to zero until the end, so that the last steps are "
        "small.",
    )
    warm_up: float = Field(
        0.1, ge=0, le=0.5, title="Warm-up", description="Share of the training in which a cosine rises, in a straight line."
    )
    restarts: tuple[Annotated[int, Field(ge=1, le=MOST_EPOCHS)], ...] = Field(
        (),
        max_length=20,
        title="Restarts",
        description="Epochs after which a cosine began anew: a fit that was continued has them.",
    )
    clip_norm: float | None = Field(
        None,
        ge=0.001,
        le=1_000,
        title="Clip gradients",
        description="A gradient that is longer than this is shortened to it, so that one odd batch does no harm.",
    )
    loss: Literal["mse", "mae", "huber"] = Field(
        "mse",
        title="Loss",
        description="What is minimised: squared errors, absolute ones, or squared ones that are absolute beyond 1 (Huber). "
        "Curves show the mean squared error.",
    )
    optimizer: Literal["adam", "nadam", "rmsprop", "sgd"] = Field(
        "adam", title="Optimiser", description="The rule that turns gradients into steps, at Keras' defaults."
    )
    keep: Literal["last", "best"] = Field(
        "last", title="Weights kept", description="Those of the last epoch, or of the best one on validation."
    )
    patience: int | None = Field(
        None,
        ge=1,
        le=1_000,
        title="Early stopping",
        description="Stop after so many epochs without a better validation loss and keep the best weights.",
    )
    device: str = Field("CPU", pattern=r"^(CPU|GPU:\d{1,2})$", title="Device", description="Where the networks are trained.")

    @model_validator(mode="before")
    @classmethod
    def _constant_rate_has_no_shape(cls, data: Any) -> Any:
        constant = isinstance(data, dict) and data.get("schedule", "constant") == "constant"
        return without(data, "warm_up", "restarts") if constant else data

    @model_validator(mode="after")
    def _restarts_come_in_order(self) -> Self:
        if sorted({*self.restarts, self.epochs}) != [*self.restarts, self.epochs]:
            raise ValueError("Restarts are epochs in ascending order, the last before the end.")
        return self

    @property
    def changes_rate(self) -> bool:
        """Whether the learning rate depends on how long the training is."""
        return self.schedule != "constant"
