"""Reading a visitor's file: what it holds is found out by looking at all of it, told, and can be corrected.

What cannot be read surely is refused in words: a wrong reading would be worse than none.
"""

from forecasting.data.reading.columns import Columns
from forecasting.data.reading.result import SUMMARY, Choices, Reading
from forecasting.data.reading.tables import Table, read_table
from forecasting.data.reading.times import looks_like_time
from forecasting.experiment import BadInput

__all__ = ["SUMMARY", "Choices", "Reading", "interpreted", "read"]

NO_CHOICES = Choices()


def read(content: bytes, choices: Choices = NO_CHOICES) -> Reading:
    """Read a file of any of the formats into series.

    Args:
        content: the file's bytes.
        choices: what the visitor has said.

    Raises:
        BadInput: in one sentence, when it cannot be read surely.
    """
    return interpreted(read_table(content), choices)


def interpreted(table: Table, choices: Choices) -> Reading:
    """Read series from a table.

    Raises:
        BadInput: in one sentence, when they cannot be read surely.
    """
    for name in (*(choices.time or ()), *(choices.value or ()), *(choices.id or ())):
        if name not in table.columns:
            raise BadInput(f"The file has no column {name!r:.60}: it has {', '.join(map(str, table.columns))[:200]}.")
    dates = [name for name in table.columns if looks_like_time(str(name))]
    columns = Columns(table, choices)
    return columns.wide_by_date(dates) if len(dates) >= 3 and choices.time is None else columns.long()
