"""The command that says how a file is read. It needs no models and no database, and so loads neither."""

import json

import typer

from forecasting.cli.arguments import AsJson, File, ReadArguments, content_of, source_of, taking_values
from forecasting.data import read_file
from forecasting.data.reading import SUMMARY
from forecasting.experiment import BadInput


@taking_values
def read_command(file: File, said: ReadArguments, as_json: AsJson = False) -> None:
    """Say how a file of series is read: columns, times, frequency, what is missing; exit status 1 when it is refused."""
    try:
        summary = read_file(source_of(said), content_of(file)).summary()
    except BadInput as error:
        summary = dict.fromkeys(SUMMARY) | {"warnings": [], "error": str(error)}
    if as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        for name, found in summary.items():
            if found not in (None, [], ""):
                print(f"{name.replace('_', ' ')}: {', '.join(map(str, found)) if isinstance(found, list) else found}")
    raise typer.Exit(1 if summary["error"] else 0)
