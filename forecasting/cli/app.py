"""The command line: its commands, by name. Each is loaded when it is asked for: `read` starts in a second."""

import os
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "example": "runs.example",
    "models": "runs.models",
    "run": "runs.run",
    "continue": "runs.go_on",
    "search": "search.search",
    "chapter": "studies.chapter",
    "export": "runs.export",
    "import": "runs.bring",
    "work": "runs.work",
    "bench": "studies.bench",
    "read": "reading.read_command",
    "evaluate": "files.evaluate_command",
    "forecast": "files.forecast_command",
    "compare": "files.compare_command",
    "doctor": "runs.doctor",
}
"""Where each command stands: a file beside this one, and its function."""


class Commands(TyperGroup):
    """The commands, each loaded when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # as it is asked for them
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """A command by its name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(".")
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(getattr(import_module(f"forecasting.cli.{module}"), function))
        return typer.main.get_command(alone)


app = typer.Typer(
    cls=Commands, help="Train and compare forecasters without a browser.", no_args_is_help=True, add_completion=False
)


@app.callback()
def _forecasting() -> None:
    """Train and compare forecasters without a browser."""


def main() -> None:
    """Run the command that was asked for."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app()
