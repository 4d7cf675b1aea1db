"""Models of intermittent demand: most values are zero, and now and then some are not."""

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from forecasting.models.base import Drawing, sample_field
from forecasting.models.statistical import Statistical


class Croston(Statistical):
    """Croston's method (1972) and those that came after it."""

    name: ClassVar[str] = "croston"
    title: ClassVar[str] = "Croston"
    description: ClassVar[str] = (
        "For demand that is zero at most steps: how much is asked for when something is, and how often that happens, are "
        "smoothed apart. It forecasts what is asked for per step."
    )
    formula: ClassVar[str] = (
        r"\hat y_{t+k} = \frac{\hat z_t}{\hat p_t}, \quad \hat z\ \text{demand},\ \hat p\ \text{steps between}"
    )
    drawing: ClassVar[Drawing] = Drawing("row", "z p")
    sample: int = sample_field(100)
    form: Literal["classic", "optimised", "sba", "tsb", "adida", "imapa"] = Field(
        "sba",
        title="Form",
        description="Classic: Croston's own. Optimised: with a fitted smoothing. SBA: with its bias taken away "
        "(Syntetos and Boylan, 2005). TSB: smooths how probable demand is, at every step (Teunter, Syntetos and Babai, "
        "2011). ADIDA, IMAPA: aggregate steps until zeros are rare.",
    )

    def work_of_one(self, n_values: int) -> float:
        """A pass over the values, or some."""
        return 100.0 + 3.0 * n_values

    def of_one_series(self, seen: np.ndarray) -> tuple[Any, ...]:
        """The library's model; smoothing 0.1, as Croston's, where it is not fitted."""
        from statsforecast import models

        made: dict[str, Any] = {
            "classic": models.CrostonClassic,
            "optimised": models.CrostonOptimized,
            "sba": models.CrostonSBA,
            "tsb": lambda: models.TSB(alpha_d=0.1, alpha_p=0.1),
            "adida": models.ADIDA,
            "imapa": models.IMAPA,
        }
        return (made[self.form](),)
