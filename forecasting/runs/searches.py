"""Searches over settings: a log of trials, each of them a fit like any other.

Whoever looks after a search reads the log, and writes what follows from it (`forecasting.evaluation.search`). Several may do
so at once, for they come to the same, and the first to write has written it.
"""

import json
import math
from collections.abc import Sequence

from sqlalchemy import Connection, and_, func, insert, select, update

from forecasting.evaluation.search import Settings, Trial
from forecasting.experiment import WindowFit
from forecasting.experiment.formats import read_fit
from forecasting.runs import schema
from forecasting.runs.claims import Claims, refuse_others
from forecasting.runs.queue import finite
from forecasting.runs.schema import CLAIM, FIT, RUN, TRIAL


class Searches(Claims):
    """The trials of runs that search."""

    def trials(self, run_id: str) -> list[Trial]:
        """The trials of a run, in their order."""
        query = select(schema.trial).where(TRIAL.run_id == run_id).order_by(TRIAL.number)
        with self._reading() as db:
            rows = db.execute(query).all()
        return [
            Trial(row.number, json.loads(row.settings), row.fit_id, row.state, row.value, _curve(row.curve)) for row in rows
        ]

    def searching(self, only_runs: Sequence[str] | None = None) -> list[str]:
        """The ids of runs whose searches go on; of some runs alone, or of all."""
        query = select(RUN.id).where(RUN.searching, RUN.deleted_at.is_(None)).order_by(RUN.created_at)
        if only_runs is not None:
            query = query.where(RUN.id.in_(list(only_runs)))
        with self._reading() as db:
            return list(db.scalars(query))

    def try_next(self, run_id: str, number: int, settings: Settings, fit: WindowFit, owner: str) -> None:
        """Write the next trial down, and queue its fit unless it is known; nothing where somebody else has done so.

        Args:
            run_id: of the search.
            number: of the trial.
            settings, fit: what it tries.
            owner: whose place in the queue it takes.
        """
        there = select(func.count()).select_from(schema.trial).where(TRIAL.run_id == run_id)
        with self._writing() as db:
            goes_on = db.scalar(select(RUN.searching).where(RUN.id == run_id))
            if not goes_on or db.scalar(there) != number:
                return
            self._write_trial(db, run_id, Trial(number, settings, fit.id))
            self._claim(db, run_id, [fit], owner)

    @staticmethod
    def _write_trial(db: Connection, run_id: str, trial: Trial) -> None:
        row = {"run_id": run_id, "number": trial.number, "fit_id": trial.fit_id, "state": trial.state, "value": trial.value}
        texts = {"settings": json.dumps(trial.settings), "curve": _written(trial.curve)}
        db.execute(insert(schema.trial).values(**row, **texts))

    def tell(self, run_id: str, trial: Trial) -> None:
        """Write down how an open trial has ended; a pruned one gives its fit up."""
        this = and_(TRIAL.run_id == run_id, TRIAL.number == trial.number, TRIAL.state == "open")
        with self._writing() as db:
            values = {"state": trial.state, "value": trial.value, "curve": _written(trial.curve)}
            told = db.execute(update(schema.trial).where(this).values(**values)).rowcount
            if told and trial.state == "pruned":
                self._withdraw(db, and_(CLAIM.run_id == run_id, CLAIM.fit_id == trial.fit_id))

    def end_search(self, run_id: str) -> None:
        """Try nothing further."""
        with self._writing() as db:
            db.execute(update(schema.run).where(RUN.id == run_id).values(searching=False))

    def search_on(self, run_id: str, owner: str | None) -> None:
        """Let a search that was stopped go on, and try again what had not ended by itself.

        Raises:
            BadInput: when somebody else owns the run.
        """
        again = and_(TRIAL.run_id == run_id, TRIAL.state.in_(("open", "failed")))
        with self._writing() as db:
            refuse_others(db, [run_id], owner)
            settings = db.scalars(
                select(FIT.settings).where(FIT.id.in_(select(TRIAL.fit_id).where(again))).order_by(FIT.place)
            )
            fits = [read_fit(text) for text in settings]
            db.execute(update(schema.trial).where(again).values(state="open"))
            db.execute(update(schema.run).where(RUN.id == run_id).values(searching=True))
            self._claim(db, run_id, fits, owner or db.scalar(select(RUN.owner).where(RUN.id == run_id)) or "")


def _written(curve: Sequence[float]) -> str:
    return json.dumps(list(map(finite, curve)))


def _curve(text: str) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in json.loads(text))
