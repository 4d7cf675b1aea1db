"""The records of runs: found by what they are about, noted on, deleted and taken back by their owners."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, func, insert, or_, select, true, update

from forecasting.experiment import BadInput, Experiment, Sample, Upload, WindowFit
from forecasting.experiment.formats import read_fit
from forecasting.models import resolve
from forecasting.runs import schema
from forecasting.runs.claims import Claims, refuse_others
from forecasting.runs.queue import finite
from forecasting.runs.schema import ACCOUNT, CLAIM, FIT, RUN

DAY_S = 86_400.0
KEPT_DAYS = 30
"""Days for which a deleted run can be taken back."""
CONSIDERED = 2_000
"""The latest fits that leaders are found among."""
GUIDE = "guide"
"""The tag of runs that the Guide has started: they are folded away."""
State = Literal["open", "finished", "ended early"]
OPEN, EARLY = ("queued", "running"), ("stopped", "cancelled", "failed", "lost")


@dataclass(frozen=True)
class Wanted:
    """Which runs are listed. None or empty: whatever it is.

    Attributes:
        owner: whose they are; of everybody else only runs are listed that are not private, and whose series nobody has
            uploaded.
        only_own: leave out what others have started.
        text: stands in title, tags, note or the owner's name.
        source: how `source_of` names it, or its beginning.
        task: `next`, `at_h`, `all_h`, or `series` for whole series.
        model: name of a model that is compared.
        state: whether fits are open, all finished, or some ended early.
        since: seconds since 1970 of the earliest.
        deleted: those that can be taken back, in place of the others.
        guide: runs of the Guide too.
        order: the newest, the oldest, by title, by the lowest error or the highest skill first; pinned ones always first.
        of_everybody: all of everybody else's too, as administrators see them.
    """

    owner: str
    only_own: bool = True
    text: str = ""
    source: str = ""
    task: str = ""
    model: str = ""
    state: State | None = None
    since: float | None = None
    deleted: bool = False
    guide: bool = False
    order: Literal["newest", "oldest", "title", "error", "skill"] = "newest"
    of_everybody: bool = False


@dataclass(frozen=True)
class Record:
    """A run as it stands in the list.

    Attributes:
        source, task, models: what it is about, as `found_by` names it.
        state: `open`, `finished` or `ended early`.
        best: name of the model with the lowest error; None where none is known.
        error: its validation MSE, of whole series its MASE; None where it is not known.
        skill: the share of the baseline's error that it takes away; None where it is not known.
        seconds: that its fits took.
        author: what its owner is called.
        private: whether it opens for its owner alone.
    """

    id: str
    title: str
    owner: str
    created_at: float
    source: str
    task: str
    models: tuple[str, ...]
    tags: tuple[str, ...]
    note: str
    pinned: bool
    deleted_at: float | None
    state: State
    best: str | None
    error: float | None
    skill: float | None
    seconds: float
    author: str = ""
    private: bool = False


@dataclass(frozen=True)
class Leader:
    """The best fit of a model that anybody has made on some windows.

    Attributes:
        model: its label.
        run_id, title: of the latest run that has it.
        valid_mse: its error.
        epochs, seed: of its training; None where it has none.
    """

    model: str
    run_id: str
    title: str
    valid_mse: float
    epochs: int | None
    seed: int | None


def found_by(experiment: Experiment) -> dict[str, str]:
    """What a run is found by, as columns of its row."""
    source = experiment.source
    named = source.name if isinstance(source, Sample) else source.upload_id if isinstance(source, Upload) else ""
    return {
        "source": f"{source.kind} {named}".strip()[:120],
        "task": "series" if experiment.plan is not None else experiment.task.target,
        "models": f" {' '.join(dict.fromkeys(choice.name for choice in experiment.models))} ",
    }


class Records(Claims):
    """Runs as a list. Whoever changes one has to own it."""

    def listed(self, wanted: Wanted, first: int = 0, most: int = 25) -> tuple[list[Record], int]:
        """Some of the runs that are wanted, from the first on, and how many there are in all."""
        which = _conditions(wanted)
        orders: dict[str, list[Any]] = {
            "newest": [RUN.created_at.desc()],
            "oldest": [RUN.created_at],
            "title": [func.lower(RUN.title)],
            "error": [RUN.error.is_(None), RUN.error],
            "skill": [RUN.skill.is_(None), RUN.skill.desc()],
        }
        with self._reading() as db:
            n = db.scalar(select(func.count()).select_from(schema.run).where(which)) or 0
            query = select(schema.run).where(which).order_by(RUN.pinned.desc(), *orders[wanted.order], RUN.id)
            rows = db.execute(query.offset(first).limit(most)).all()
            fits = _fits_of(db, [row.id for row in rows])
        return [_record(row, fits.get(row.id, [])) for row in rows], n

    def leaders(self, experiment: Experiment, owner: str) -> list[Leader]:
        """The best fit of every model on the windows of an experiment, the best model first; of what `Wanted` lists and this
        database has computed.

        Args:
            experiment: whose source and task it is about; of whole series there are none.
            owner: who asks.
        """
        if experiment.plan is not None:
            return []
        about = found_by(experiment)
        which = and_(_conditions(Wanted(owner, only_own=False, guide=True)), RUN.source == about["source"], ~RUN.brought)
        columns = (CLAIM.run_id, RUN.title, FIT.result, FIT.settings)
        joined = schema.run_fit.join(schema.fit, CLAIM.fit_id == FIT.id).join(schema.run, CLAIM.run_id == RUN.id)
        query = select(*columns).select_from(joined).where(which, RUN.task == about["task"], FIT.status == "finished")
        with self._reading() as db:
            rows = db.execute(query.order_by(RUN.created_at.desc()).limit(CONSIDERED)).all()
        best: dict[str, Leader] = {}
        for row in rows:
            leader = _leader(row, experiment)
            if leader is not None and (leader.model not in best or leader.valid_mse < best[leader.model].valid_mse):
                best[leader.model] = leader
        return sorted(best.values(), key=lambda leader: leader.valid_mse)

    def note(self, run_id: str, owner: str | None, **changes: Any) -> None:
        """Change what the owner says about a run.

        Args:
            run_id: which run.
            owner: who asks; None: an administrator.
            changes: `title`, `note` (texts), `tags` (words), `pinned`.

        Raises:
            BadInput: when somebody else owns it.
        """
        if "tags" in changes:
            words = dict.fromkeys(word.lower()[:40] for tag in changes["tags"] for word in str(tag).split())
            changes["tags"] = "".join(f" {word}" for word in list(words)[:20]) + " " if words else ""
        for name, most in (("title", 120), ("note", 4_000)):
            if name in changes:
                changes[name] = str(changes[name]).strip()[:most]
        with self._writing() as db:
            refuse_others(db, [run_id], owner)
            db.execute(update(schema.run).where(RUN.id == run_id).values(**changes))

    def keep_private(self, run_id: str, owner: str | None, private: bool) -> None:
        """Let a run, and the file that it is about, open for their owner alone, or for whoever has the link.

        Raises:
            BadInput: when somebody else owns it.
        """
        with self._writing() as db:
            refuse_others(db, [run_id], owner)
            self._keep_private(db, run_id, private)

    @staticmethod
    def _keep_private(db: Connection, run_id: str, private: bool) -> None:
        """A file is private as long as one of its owner's runs on it is."""
        db.execute(update(schema.run).where(RUN.id == run_id).values(private=private))
        upload, run = schema.upload.c, db.execute(select(RUN.upload_id, RUN.owner).where(RUN.id == run_id)).one()
        others = select(func.count()).select_from(schema.run).where(RUN.upload_id == run.upload_id, RUN.private)
        mine = and_(upload.id == run.upload_id, upload.owner == run.owner)
        db.execute(update(schema.upload).where(mine).values(private=bool(db.scalar(others))))

    def starts_private(self, owner: str) -> bool:
        """Whether what somebody starts and uploads opens for the owner alone."""
        with self._reading() as db:
            return bool(db.scalar(select(ACCOUNT.starts_private).where(ACCOUNT.id == owner)))

    def start_private(self, owner: str, private: bool) -> None:
        """Choose whether what somebody starts and uploads from now on opens for the owner alone."""
        with self._writing() as db:
            db.execute(delete(schema.account).where(ACCOUNT.id == owner))
            db.execute(insert(schema.account).values(id=owner, starts_private=private))

    def note_best_of_series(self, run_id: str, best: str, mase: float, skill: float) -> None:
        """Write down which model a run on whole series has chosen, once somebody has put its forecast together.

        Args:
            run_id: which run.
            best: name of the model.
            mase, skill: its error in the backtest, and the share of the baseline's that it takes away.
        """
        with self._writing() as db:
            values = {"best": best, "error": finite(mase), "skill": finite(skill)}
            db.execute(update(schema.run).where(RUN.id == run_id).values(**values))

    def hand_over(self, owner: str, to: str, author: str) -> int:
        """Let all that somebody owns belong to somebody else; return how many runs that were.

        Args:
            owner: as who they were started.
            to: whose they are from now on.
            author: what that one is called.
        """
        with self._writing() as db:
            db.execute(update(schema.upload).where(schema.upload.c.owner == owner).values(owner=to))
            db.execute(update(schema.fit).where(FIT.owner == owner).values(owner=to))
            return db.execute(update(schema.run).where(RUN.owner == owner).values(owner=to, author=author[:120])).rowcount

    def n_owned(self, owner: str) -> int:
        """How many runs somebody owns."""
        with self._reading() as db:
            mine = select(func.count()).select_from(schema.run).where(RUN.owner == owner, RUN.deleted_at.is_(None))
            return db.scalar(mine) or 0

    def delete_runs(self, run_ids: Sequence[str], owner: str | None) -> None:
        """Delete runs, so that they can be taken back for a while; what they wait for ends.

        Raises:
            BadInput: when somebody else owns one of them; then none is deleted.
        """
        with self._writing() as db:
            refuse_others(db, run_ids, owner)
            db.execute(update(schema.run).where(RUN.id.in_(run_ids)).values(deleted_at=time.time(), searching=False))
            for run_id in run_ids:
                self._withdraw(db, CLAIM.run_id == run_id)

    def take_back(self, run_ids: Sequence[str], owner: str | None) -> None:
        """Take deleted runs back, with all their results.

        Raises:
            BadInput: when somebody else owns one of them.
        """
        with self._writing() as db:
            refuse_others(db, run_ids, owner)
            db.execute(update(schema.run).where(RUN.id.in_(run_ids)).values(deleted_at=None))

    def delete_for_good(self, run_ids: Sequence[str], owner: str | None) -> None:
        """Delete runs that have been deleted, at once and for good; fits that other runs have too are kept.

        Raises:
            BadInput: when somebody else owns one of them.
        """
        with self._writing() as db:
            refuse_others(db, run_ids, owner)
            gone = select(RUN.id).where(RUN.id.in_(run_ids), RUN.deleted_at.is_not(None))
            fit_ids = list(db.scalars(select(CLAIM.fit_id).where(CLAIM.run_id.in_(gone))))
            db.execute(delete(schema.run).where(RUN.id.in_(gone)))
            self._drop_unused(db, FIT.id.in_(fit_ids))


def _conditions(wanted: Wanted) -> ColumnElement[bool]:
    """The condition that a run is wanted."""
    own = RUN.owner == wanted.owner
    others = true() if wanted.of_everybody else and_(RUN.upload_id.is_(None), ~RUN.private)
    conditions: list[ColumnElement[bool]] = [own if wanted.only_own else or_(own, others)]
    mine = own if not wanted.of_everybody else true()
    conditions.append(and_(mine, RUN.deleted_at.is_not(None)) if wanted.deleted else RUN.deleted_at.is_(None))
    if wanted.text:
        texts = (RUN.title, RUN.tags, RUN.note, RUN.author)
        looked_for = [column.icontains(wanted.text, autoescape=True) for column in texts]
        conditions.append(or_(*looked_for))
    if wanted.source:
        conditions.append(RUN.source.startswith(wanted.source, autoescape=True))
    if wanted.task:
        conditions.append(RUN.task == wanted.task)
    if wanted.model:
        conditions.append(RUN.models.contains(f" {wanted.model} ", autoescape=True))
    if wanted.since is not None:
        conditions.append(RUN.created_at >= wanted.since)
    if not wanted.guide:
        conditions.append(~RUN.tags.contains(f" {GUIDE} "))
    if wanted.state is not None:
        conditions.append(_in_state(wanted.state))
    return and_(*conditions)


def _in_state(state: State) -> ColumnElement[bool]:
    def has(*statuses: str) -> ColumnElement[bool]:
        fits = schema.run_fit.join(schema.fit, CLAIM.fit_id == FIT.id)
        return exists(select(1).select_from(fits).where(CLAIM.run_id == RUN.id, FIT.status.in_(statuses)))

    if state == "open":
        return has(*OPEN)
    return and_(~has(*OPEN), has(*EARLY) if state == "ended early" else ~has(*EARLY))


def _fits_of(db: Connection, run_ids: Sequence[str]) -> dict[str, list[Row]]:
    """What the list tells of the fits of some runs, by run."""
    columns = (CLAIM.run_id, FIT.status, FIT.started_at, FIT.ended_at)
    found: dict[str, list[Row]] = {}
    joined = schema.run_fit.join(schema.fit, CLAIM.fit_id == FIT.id)
    for row in db.execute(select(*columns).select_from(joined).where(CLAIM.run_id.in_(run_ids))):
        found.setdefault(row.run_id, []).append(row)
    return found


def _record(row: Row, fits: Sequence[Row]) -> Record:
    statuses = {fit.status for fit in fits}
    state: State = "open" if statuses & {*OPEN} else "ended early" if statuses & {*EARLY} else "finished"
    return Record(
        id=row.id,
        title=row.title,
        owner=row.owner,
        created_at=row.created_at,
        source=row.source,
        task=row.task,
        models=tuple(row.models.split()),
        tags=tuple(row.tags.split()),
        note=row.note,
        pinned=row.pinned,
        deleted_at=row.deleted_at,
        state=state,
        best=row.best or None,
        error=row.error,
        skill=row.skill,
        seconds=sum((fit.ended_at or 0.0) - fit.started_at for fit in fits if fit.started_at and fit.ended_at),
        author=row.author,
        private=row.private,
    )


def _leader(row: Row, experiment: Experiment) -> Leader | None:
    """A fit as a leader; None where it is not one on the windows of an experiment, or cannot be read any more."""
    result = json.loads(row.result) if row.result else {}
    if result.get("valid_mse") is None:
        return None
    try:
        fit = read_fit(row.settings)
    except BadInput:
        return None
    if not isinstance(fit, WindowFit) or (fit.source, fit.task) != (experiment.source, experiment.task):
        return None
    epochs = None if fit.training is None else result.get("epochs")
    return Leader(resolve(fit.model).label, row.run_id, row.title, result["valid_mse"], epochs, fit.seed)
