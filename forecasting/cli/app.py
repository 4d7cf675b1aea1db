"""The command line: its commands, by name."""

import os

import typer

from forecasting.cli import files, runs, search, studies
from forecasting.doctor import report

app = typer.Typer(help="Train and compare forecasters without a browser.", no_args_is_help=True, add_completion=False)
app.command("example")(runs.example)
app.command("models")(runs.models)
app.command("run")(runs.run)
app.command("continue")(runs.go_on)
app.command("search")(search.search)
app.command("chapter")(studies.chapter)
app.command("export")(runs.export)
app.command("import")(runs.bring)
app.command("work")(runs.work)
app.command("bench")(studies.bench)
app.command("read")(files.read_command)
app.command("evaluate")(files.evaluate_command)
app.command("forecast")(files.forecast_command)
app.command("compare")(files.compare_command)


@app.command()
def doctor() -> None:
    """Say what is right and wrong on this machine; exit status 0 only if nothing is wrong."""
    raise typer.Exit(0 if report(print) else 1)


def main() -> None:
    """Run the command that was asked for."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app()
