"""A replay from beginning to end: inputs, the event processor, the database, the answers, the account."""

from __future__ import annotations

import math
import sqlite3
import time
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import TYPE_CHECKING, Any, Self

from engagehub_core import EventProcessor
from engagehub_core.errors import InvalidType
from engagehub_core.replay.account import Account
from engagehub_core.replay.answers import Answers, Question
from engagehub_core.replay.columns import ColumnNames
from engagehub_core.replay.errors import BadInput, BadUsage, InputEnds
from engagehub_core.replay.identity import Identities, Values
from engagehub_core.replay.interruption import Interruption
from engagehub_core.replay.lines import Input, Malformed, numbered_lines
from engagehub_core.replay.remembered import Remembered
from engagehub_core.replay.rows import SAMPLE, Fields, rows, sampled
from engagehub_core.replay.times import TimeReader, recognised, shortened
from engagehub_core.sinks import WriteResult
from engagehub_core.sinks.sqlite import SqliteSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from engagehub_core.processor import EventBatch

__all__ = ["Outcome", "Replay", "recomputed"]

_CAPACITY = 16_384
_BATCH = 10_000
#: How far ahead of the clock, or of the instant asked for, an event may be: clocks and time zones are set wrong.
_AHEAD = 86_400_000_000


@dataclass
class Outcome:
    """What a replay came to.

    Attributes
    ----------
    community : str
        The community that the answers speak of.
    account : Account
        What became of the rows.
    answers : Answers or None
        None if the replay broke off.
    failure : str or None
        Why it broke off.
    interrupted : bool
        Whether it was Ctrl-C.
    seconds : float
        From the first byte read to the last event stored.
    inputs : list of dict
        Name, format and time unit of each input that was read.
    others : list of str
        Further communities that events were stored in.
    """

    community: str
    account: Account = field(default_factory=Account)
    answers: Answers | None = None
    failure: str | None = None
    interrupted: bool = False
    seconds: float = 0.0
    inputs: list[dict[str, Any]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def events_per_second(self) -> float:
        """Rows read a second."""
        return self.account.read / self.seconds if self.seconds > 0 else 0.0


def recomputed(store: SqliteSink, community: int | str, question: Question) -> Answers:
    """Return the answers of a community's stored events, in the order in which they were accepted.

    Parameters
    ----------
    store : SqliteSink
        The database.
    community : int or str
        One of its communities; an unknown one has no events.
    question : Question
        What is asked.

    Returns
    -------
    Answers
    """
    answers = Answers(question)
    for columns in store.columns(community):
        answers.feed(columns)
    return answers


class _Feed:
    """The sink of a replay: stores each batch, then feeds it to the answers as long as they can be had on the way.

    They can if the database held nothing of the community, nobody else writes, and nothing is a duplicate: then the
    batches are the stored rows in their order, and reading them back would give the very same answers.
    """

    def __init__(self, store: SqliteSink, question: Question, community: str | None, halt: Interruption) -> None:
        self._store = store
        self._remembered = Remembered(store)
        self._question = question
        self._halt = halt
        self._first_seq = store.last_seq()
        self._started = False
        self._answers: Answers | None = None
        self.community = community
        self.communities: dict[str, None] = {}
        self.written = 0
        self.duplicate = 0
        self.failure: BaseException | None = None

    def write(self, batch: EventBatch) -> WriteResult:
        if self.failure is not None:
            # What follows a lost batch would leave a gap, and the rows would no longer be a prefix of the input.
            return WriteResult(rejected=len(batch))
        columns = batch.columns()
        try:
            if not self._started:
                self._start(columns["community"][0])
            new = [name for name in dict.fromkeys(columns["community"]) if name not in self.communities]
            for name in new:
                self._remembered.keep(name, self._question)
            result = self._store.store(columns)
        except BaseException as error:  # noqa: BLE001 - it ends the replay, which tells of it
            self.failure = error
            self._halt.request()
            return WriteResult(rejected=len(batch))
        self.written += result.written
        self.duplicate += result.duplicate
        self.communities.update(dict.fromkeys(new))
        if result.written != len(columns["at_us"]):
            self._answers = None
        if self._answers is not None:
            try:
                self._answers.feed(self._own(columns))
            except Exception:  # noqa: BLE001 - the batch is stored, so it must not be handed back; reading the rows again will tell
                self._answers = None
        return result

    def _start(self, first: str) -> None:
        self._started = True
        if self.community is None:
            self.community = first
        if not self._store.has_events(self.community):
            self._answers = Answers(self._question)

    def _own(self, columns: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
        own = [name == self.community for name in columns["community"]]
        if all(own):
            return columns
        return {name: list(compress(columns[name], own)) for name in ("kind", "member", "channel", "at_us")}

    def answers(self) -> Answers | None:
        """Return the answers if they can be had without reading the rows back."""
        alone = self._store.last_seq() == self._first_seq + self.written
        return self._answers if alone else None


class Replay:
    """Reads inputs, sends every event through the event processor into a database, and answers.

    Parameters
    ----------
    files : sequence of str
        Paths, or ``-`` for standard input.
    database : str
        Path of the SQLite database.
    question : Question, optional
        What to answer at the end.
    community : str, optional
        The community of rows that name none, and the one to answer for. Without it, rows belong to the base name of
        their file, and the answers are for the first event's community.
    mapped : mapping of str to str, optional
        Column to field, for columns that aren't recognised.
    limit : int, optional
        Rows to read at the most.
    strict : bool, default False
        Stop at the first malformed row.
    clock : callable, default time.time
        What answers «now».
    note : callable, optional
        Takes a sentence about what was recognised.
    progress : callable, optional
        Takes the input being read, now and then.

    Raises
    ------
    BadUsage
        If an input isn't there.
    SinkError, Incompatible
        If the database can't be used.
    """

    def __init__(
        self,
        files: Sequence[str],
        database: str,
        question: Question | None = None,
        *,
        community: str | None = None,
        mapped: Mapping[str, str] | None = None,
        limit: int | None = None,
        strict: bool = False,
        clock: Callable[[], float] = time.time,
        note: Callable[[str], None] = lambda _: None,
        progress: Callable[[Input], None] = lambda _: None,
    ) -> None:
        self._names = ColumnNames(mapped)
        self._question = question or Question()
        self._community = community
        self._limit = limit
        self._strict = strict
        self._note = note
        self._progress = progress
        self._latest = max(round(clock() * 1e6), self._question.at or 0) + _AHEAD
        self._halt = Interruption()
        if community is not None and not community:
            message = "the community must have a name"
            raise BadUsage(message)
        self.inputs: list[Input] = []
        try:
            for name in files:
                self.inputs.append(Input(name))
                if community is None:
                    self.inputs[-1].check_name()
            self.store = SqliteSink(database)
        except BaseException:
            for source in self.inputs:
                source.close()
            raise

    def run(self) -> Outcome:
        """Read everything, store it, and answer.

        Returns
        -------
        Outcome
            Also where the replay broke off; what was accepted before is stored then.
        """
        outcome = Outcome(self._community or self.inputs[0].community)
        feed = _Feed(self.store, self._question, self._community, self._halt)
        started = time.perf_counter()
        with self._halt:
            # The database knows what it has, and how far ahead a stamp may be is for the reader of times to say.
            processor = EventProcessor(
                feed,
                capacity=_CAPACITY,
                batch_size=_BATCH,
                overflow="block",
                dedupe_horizon=None,
                max_skew=None,
                sink_timeout=None,
                keep_dead=0,
            )
            try:
                self._read_all(processor, outcome)
            except KeyboardInterrupt:
                self._halt.request()
            finally:
                processor.close(timeout=None)
        outcome.seconds = time.perf_counter() - started
        outcome.interrupted = self._halt.interrupted
        account = outcome.account
        account.written, account.duplicate = feed.written, feed.duplicate
        outcome.community = feed.community or outcome.community
        outcome.others = [name for name in feed.communities if name != outcome.community]
        if feed.failure is not None:
            outcome.failure = str(feed.failure)
        elif account.missing and outcome.failure is None:
            outcome.failure = "the account doesn't add up"
        if outcome.failure is None and not outcome.interrupted:
            try:
                outcome.answers = feed.answers() or recomputed(self.store, outcome.community, self._question)
            except KeyboardInterrupt:
                outcome.interrupted = True
        return outcome

    def _read_all(self, processor: EventProcessor, outcome: Outcome) -> None:
        account = outcome.account
        for source in self.inputs:
            before = account.read
            try:
                refused = self._read(source, processor, outcome)
            except InputEnds as error:
                outcome.failure = f"{source.name}: {error} after row {account.read - before:,}"
                return
            except BadInput as error:
                outcome.failure = f"{source.name}: {error}"
                return
            except sqlite3.Error as error:
                outcome.failure = f"{source.name}: counting equal rows in a temporary file fails: {error}"
                return
            if refused is not None:
                outcome.failure = f"{refused} (--strict stops at the first malformed row)"
            if refused is not None or self._halt.requested or account.read == self._limit:
                return

    def _read(self, source: Input, processor: EventProcessor, outcome: Outcome) -> str | None:
        """Send the rows of one input on their way; return the row that strictness stumbled over."""
        kind_of_input, records = rows(numbered_lines(self._chunks(source)), self._names)
        head, rest = sampled(records, SAMPLE)
        unit = recognised(row[1][0] for row in head if not isinstance(row, Malformed))
        instant = TimeReader(unit, self._latest)
        self._note(f"{source.name}: {kind_of_input}, times are {unit.value}")
        outcome.inputs.append({"name": source.name, "format": kind_of_input, "times": unit.value})
        account, halt, push, limit = outcome.account, self._halt, processor.push, self._limit
        default = self._community or source.community
        identities = Identities()
        try:
            for row in chain(head, rest):
                if halt.requested or account.read == limit:
                    break
                account.read += 1
                if isinstance(row, Malformed):
                    line, reason = row.line, row.reason
                else:
                    line, fields = row
                    try:
                        name, event = _event(fields, instant, default)
                        community, kind, member, channel, at, value, data = event
                        identity = name or identities(event)
                        push(
                            kind, member, channel, at=at / 1e6, community=community, id=identity, value=value, data=data
                        )
                        continue
                    except (ValueError, InvalidType) as error:
                        reason = str(error)
                account.reject(source.name, line, reason)
                if self._strict:
                    return f"{source.name}, line {line}: {reason}"
        finally:
            identities.close()
        if instant.naive:
            self._note(f"{source.name}: times without an offset are taken as UTC")
        return None

    def _chunks(self, source: Input) -> Iterator[bytes]:
        for chunk in source.chunks(self._halt.waiting):
            self._progress(source)
            yield chunk

    def close(self) -> None:
        """Close the inputs and the database, and let Ctrl-C be what it was before."""
        for source in self.inputs:
            source.close()
        self.store.close()
        self._halt.restore()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _event(fields: Fields, instant: TimeReader, default: str) -> tuple[str, Values]:
    """Return the id that a row brings, or "", and its values; raise ValueError saying what is wrong with it."""
    stamp, member, kind, channel, name, amount, data, community = fields
    at = instant(stamp)
    if not member:
        message = "no member"
        raise ValueError(message)
    value = _number(amount) if amount else 1.0
    return name, (community or default, kind or "message", member, channel or None, at, value, data or None)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        message = f"the value must be a finite number, got {shortened(text)}"
        raise ValueError(message)
    return value
