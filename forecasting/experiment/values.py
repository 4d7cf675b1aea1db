"""What all settings are: frozen values that say what is wrong with them in words."""

import json
from typing import Any, get_args

import annotated_types
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

BELOW = (annotated_types.Ge, annotated_types.Gt)


class BadInput(ValueError):
    """Something a visitor gave cannot be used. The message says what to change and is shown as it stands."""


class Value(BaseModel):
    """A frozen, strict-about-its-keys settings object with a canonical JSON form."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def canonical(self) -> str:
        """Return the one JSON text of this value: sorted keys, no blanks."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def bounds(field: FieldInfo) -> tuple[float, float]:
    """The lowest and highest value of a field, also of the numbers in a tuple.

    Raises:
        TypeError: when it declares none.
    """
    metadata = list(field.metadata)
    for inner in (*get_args(field.annotation), field.annotation):
        metadata += getattr(inner, "__metadata__", ())
        for nested in getattr(inner, "__metadata__", ()):
            metadata += getattr(nested, "metadata", ())
    lowest = (m.ge if isinstance(m, annotated_types.Ge) else m.gt for m in metadata if isinstance(m, BELOW))
    low = next(lowest, None)
    high = next((m.le for m in metadata if isinstance(m, annotated_types.Le)), None)
    if low is None or high is None:
        raise TypeError(f"The field {field.title!r} declares no bounds, so no slider can be drawn for it.")
    return float(low), float(high)  # type: ignore[arg-type]


def offered(field: FieldInfo) -> tuple[Any, ...]:
    """The values within its bounds at which a slider for a field stops: `json_schema_extra={"offered": …}`."""
    extra = field.json_schema_extra
    return tuple(extra["offered"]) if isinstance(extra, dict) else ()  # type: ignore[arg-type]


def without(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """A copy of a mapping that lacks some of its keys."""
    return {key: value for key, value in data.items() if key not in names}


NEEDED = {kind: "a whole number is needed" for kind in ("int_parsing", "int_from_float", "int_type")}
NEEDED |= {kind: "a number is needed" for kind in ("float_parsing", "float_type")}
NEEDED |= {
    "too_long": "at most {max_length} values are taken, and there are {actual_length}",
    "too_short": "at least {min_length} is needed",
    "greater_than_equal": "{ge} or more is needed",
    "greater_than": "more than {gt} is needed",
    "less_than_equal": "{le} or less is needed",
    "less_than": "less than {lt} is needed",
    "string_too_long": "at most {max_length} letters are taken",
    "extra_forbidden": "there is no such setting",
    "missing": "it is missing",
}
"""Errors of pydantic's that a visitor would not understand, in other words."""


def plain(error: ValidationError) -> BadInput:
    """Turn pydantic's first error into one sentence for a visitor."""
    first = error.errors()[0]
    where = " ".join(", ".join(_part(part) for part in first["loc"]).split())[-80:] or "the input"
    if first["type"] == "value_error":
        return BadInput(str(first["ctx"]["error"]))
    given = first["input"]
    shown = f" (given: {str(given)[:50]!r:.60})" if not isinstance(given, dict | list) else ""
    message = first["msg"][0].lower() + first["msg"][1:]
    if first["type"] in NEEDED:
        message = NEEDED[first["type"]].format(**first.get("ctx", {}))
    if len(message) > 160:
        message = f"{message[:80]} … {message[-78:]}"
    return BadInput(printable(f"{where}: {message}{shown}."))


def _part(part: str | int) -> str:
    """A step of the way to a value: a setting by its name, one of several values by its place."""
    return f"value {part + 1}" if isinstance(part, int) else part[:60]


def printable(text: str) -> str:
    """A stranger's text on one line, without characters that would do something where it is shown or stored."""
    return "".join(c if c.isprintable() else " " for c in text)
