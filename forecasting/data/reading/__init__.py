"""Reading a visitor's file: what it holds is detected from all of it, shown, and can be corrected.

What cannot be read surely is refused in words: a wrong reading would be worse than none.
"""

from forecasting.data.reading.columns import Columns, month_number
from forecasting.data.reading.layout import Table
from forecasting.data.reading.numbers import Question
from forecasting.data.reading.result import SUMMARY, Reading, ReadOptions
from forecasting.data.reading.tables import of_sheets, read_table
from forecasting.data.reading.times import looks_like_time
from forecasting.experiment import BadInput

__all__ = ["SUMMARY", "ReadOptions", "Reading", "interpreted", "read"]

NO_OPTIONS = ReadOptions()


def read(content: bytes, options: ReadOptions = NO_OPTIONS) -> Reading:
    """Read a file of any of the formats into series.

    Args:
        content: the file's bytes.
        options: what the visitor has said.

    Raises:
        BadInput: in one sentence, when it cannot be read surely.
    """
    return interpreted(read_table(content, options.sheet), options)


def interpreted(table: Table, options: ReadOptions) -> Reading:
    """Read series from a table.

    Raises:
        BadInput: in one sentence, when they cannot be read surely.
    """
    try:
        return _series(table, options)
    except Question:
        raise
    except BadInput as error:
        if len(table.sheets) < 2 or options.sheet is not None:
            raise
        raise of_sheets(error, table.sheets) from None


def _series(table: Table, options: ReadOptions) -> Reading:
    for name in (*(options.time or ()), *(options.value or ()), *(options.id or ())):
        if name not in table.columns:
            raise BadInput(f"The file has no column {name!r:.60}: it has {', '.join(map(str, table.columns))[:200]}.")
    columns = Columns(table, options)
    months = [name for name in table.columns if month_number(str(name))]
    if len(months) == 12 and options.time is None and (reading := columns.wide_by_month(months)) is not None:
        return reading
    dates = [name for name in table.columns if looks_like_time(str(name))]
    return columns.wide_by_date(dates) if len(dates) >= 3 and options.time is None else columns.long()
