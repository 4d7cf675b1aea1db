"""What one visitor may ask of a server that others use too."""

import math
from dataclasses import dataclass

from forecasting.data import Split
from forecasting.evaluation.fits import fits_of
from forecasting.experiment import BadInput, Experiment
from forecasting.models import Shape, resolve


@dataclass(frozen=True)
class Quota:
    """What an owner may have waiting, and what the store may hold.

    Attributes:
        max_waiting: fits of one owner that wait at the same time.
        max_stored_mb: size of all uploads, forecasts and weights together.
    """

    max_waiting: int
    max_stored_mb: int

    def refuse_too_many(self, waiting: int) -> None:
        """Refuse when so many fits of an owner would wait.

        Raises:
            BadInput: with what to do.
        """
        if waiting > self.max_waiting:
            raise BadInput(
                f"With these, {waiting} of your fits would wait, and this server lets {self.max_waiting} wait: take fewer "
                "models or seeds, or let some of those that wait finish first."
            )

    def refuse_when_full(self, stored: int) -> None:
        """Refuse when the store would hold so many bytes.

        Raises:
            BadInput: with what to do.
        """
        if stored > self.max_stored_mb * 1_000_000:
            raise BadInput(
                f"The {self.max_stored_mb:,} MB that this server keeps are full: delete an upload with its runs, or ask "
                "whoever runs the server to make room (FORECASTING_MAX_STORED_MB, FORECASTING_KEEP_DAYS)."
            )


@dataclass(frozen=True)
class Size:
    """How large a fit may be.

    Attributes:
        max_epochs: epochs, also those that a continued fit has behind it.
        max_work: windows × look-back × units, in millions: what one epoch costs.
    """

    max_epochs: int
    max_work: int

    def refuse_too_large(self, experiment: Experiment, split: Split) -> None:
        """Refuse an experiment one of whose fits is too large.

        Args:
            experiment: what is asked for.
            split: its windows.

        Raises:
            BadInput: with what was asked for, what is allowed, and what to do.
        """
        shape = Shape.of(split)
        for fit in fits_of(experiment):
            model, training = resolve(fit.model), fit.training
            if training is not None and experiment.budget_s is None and training.epochs > self.max_epochs:
                raise BadInput(
                    f"{training.epochs} epochs are asked for, and this server allows {self.max_epochs}: take fewer."
                )
            work = math.ceil(len(split.train) * shape.input_size * model.width(shape) / 1e6)
            if work > self.max_work:
                raise BadInput(
                    f"{model.label}: {len(split.train):,} windows × {shape.input_size} steps × {model.width(shape)} units "
                    f"make {work:,} million, and this server allows {self.max_work:,}: take fewer series, steps or units."
                )
