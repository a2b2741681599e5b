"""The loop that computes: several answers at once over one context.

Each round gives every answer that is being written its next token, and fills the rest of the
batch with prompts that are being read. Runs in one thread: llama.cpp's contexts allow no other;
everyone else talks to it through a queue.

Jobs share a batch and the cache, and nothing else: the cancel, end or failure of one changes
nothing for the others.
"""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable

import numpy as np

from lockhouse.core.errors import EngineCrashed, InvalidInput, LockhouseError
from lockhouse.core.events import EngineBuild, FinishReason, Notice
from lockhouse.engine.process.chat_templates import Prompt
from lockhouse.engine.process.generation import Job
from lockhouse.engine.process.model import Context, Model
from lockhouse.engine.process.native import why
from lockhouse.engine.process.sequences import Sequences
from lockhouse.engine.process.thread_governor import ThreadGovernor

_MANY_ROWS = 8
_PROMPT_ROWS_BESIDE_WRITING = 128  # the longest that others wait for their next token
_NO_ROOM, _ABORTED = 1, 2  # llama_decode

Shorten = Callable[[Job, int], Prompt | None]


class Scheduler:
    """Owns the context; :meth:`run` is its thread's whole life."""

    def __init__(
        self,
        model: Model,
        context: Context,
        governor: ThreadGovernor,
        *,
        build: EngineBuild,
        settings: dict[str, object],
        shorten: Shorten,
    ) -> None:
        """``shorten`` builds a job's prompt anew within a number of tokens, or None."""
        self._model = model
        self._context = context
        self._governor = governor
        self._build = build
        self._settings = settings
        self._shorten = shorten
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting: list[Job] = []
        self._active: list[Job] = []
        self._sequences = Sequences(model, context)
        self._threads = 0
        self._lock = threading.Lock()  # for the next two, and for cancelling what they hold
        self._in_flight: list[Job] = []  # whose batch llama.cpp computes at this moment
        self._closing = False

    # -- from other threads ----------------------------------------------------------------

    def submit(self, job: Job) -> None:
        """Answer it as soon as there is room."""
        self._orders.put(lambda: self._waiting.append(job))

    def cancel(self, job: Job) -> None:
        """Stop it now; what came is kept. Does nothing to a job that has ended, or to others."""
        with self._lock:
            job.cancelled = True
            if self._in_flight and all(other.cancelled for other in self._in_flight):
                self._context.abort.set(wanted=True)
            elif job in self._in_flight:
                # The batch goes on for the others. Its client need not wait for that: while
                # llama.cpp computes, nobody else touches the job.
                self._finish(job, "cancelled")
        self._orders.put(lambda: None)

    def answer_now(self, job: Job) -> None:
        """End its reasoning trace."""
        self._orders.put(job.answer_now)

    def close(self) -> None:
        """End the loop; answers that are not complete fail with ``engine_stopped``."""
        with self._lock:
            self._closing = True
            self._context.abort.set(wanted=True)
        self._orders.put(None)

    @property
    def running(self) -> int:
        """Answers that wait or are being made."""
        return len(self._waiting) + len(self._active)

    # -- the loop ----------------------------------------------------------------------------

    def run(self) -> None:
        """Compute until closed."""
        while self._take_orders():
            self._drop_cancelled()
            self._admit()
            self._compute(list(self._active))
        self._drop_cancelled()
        for job in [*self._active, *self._waiting]:
            self._fail(job, stopped())

    def _take_orders(self) -> bool:
        """Carry out what was ordered; wait when there is nothing else to do."""
        idle = not self._active and not self._waiting
        while idle or not self._orders.empty():
            order = self._orders.get()
            if order is None:
                return False
            order()
            idle = False
        return True

    def _drop_cancelled(self) -> None:
        for job in [job for job in (*self._active, *self._waiting) if job.cancelled]:
            self._end(job, "cancelled")

    def _admit(self) -> None:
        """Begin with what waits, in the order in which it came."""
        for job in list(self._waiting):
            if any(other.exact for other in self._active) or (job.exact and self._active):
                return
            taken = self._sequences.take(job.tokens, exact=job.exact)
            if taken is None:
                return
            self._waiting.remove(job)
            self._active.append(job)
            job.begin(*taken)

    # -- computing -----------------------------------------------------------------------------

    def _compute(self, group: list[Job]) -> None:
        """One batch for these jobs. An exact job is always alone: nothing else was admitted."""
        group = [job for job in group if self._fits_or_ends(job)]
        if not group:
            return
        rows, shares = self._rows(group)
        threads = self._threads_for(group, len(rows))
        if threads != self._threads:
            self._context.set_threads(threads)
            self._threads = threads
        code = self._decode([job for job, _, _ in shares], rows)
        if code != 0:
            for job, _, _ in shares:
                job.done = self._sequences.cut_back(job.sequence, job.done)
        if code == _NO_ROOM:
            self._find_room(group)
        elif code == 0:
            for job, count, row in shares:
                job.threads = threads
                self._after(job, count, row)
        elif code != _ABORTED and len(shares) > 1:
            for job, _, _ in shares:  # whose fault it was shows when each is alone
                self._compute([job])
        elif code != _ABORTED:
            error = EngineCrashed(
                f"llama.cpp could not compute this answer ({code}): {why()}",
                hint="Ask again; if it happens again, unload the model first.",
                code="decode_failed",
            )
            self._fail(shares[0][0], error)

    def _decode(self, group: list[Job], rows: list[tuple[int, int, int, bool]]) -> int:
        """Compute rows; llama.cpp's code. Aborted only when nobody in the group wants it."""
        with self._lock:
            if self._closing or all(job.cancelled for job in group):
                return _ABORTED
            self._context.abort.set(wanted=False)
            self._in_flight = group
        code = self._context.decode(rows)
        with self._lock:
            self._in_flight = []
        return code

    def _threads_for(self, group: list[Job], rows: int) -> int:
        """A prompt has so much work between two meetings of the threads that it bears company."""
        if group[0].exact:
            return self._governor.fixed
        return self._governor.most if rows >= _MANY_ROWS else self._governor.threads()

    def _rows(
        self, group: list[Job]
    ) -> tuple[list[tuple[int, int, int, bool]], list[tuple[Job, int, int]]]:
        """A batch for these jobs, and per job how many of its tokens and its last row."""
        writing = [job for job in group if not job.reading]
        reading = [job for job in group if job.reading]
        rows: list[tuple[int, int, int, bool]] = []
        shares: list[tuple[Job, int, int]] = []
        most = self._context.batch_size
        if writing and reading:
            most = min(most, len(writing) + _PROMPT_ROWS_BESIDE_WRITING)
        for job in writing + reading:
            room = most - len(rows)
            todo = job.tokens[job.done : job.done + room]
            if not todo:
                break
            ends = job.done + len(todo) == len(job.tokens)
            rows += [(t, job.done + i, job.sequence, False) for i, t in enumerate(todo)]
            if ends:
                rows[-1] = (*rows[-1][:3], True)
            shares.append((job, len(todo), len(rows) - 1 if ends else -1))
        return rows, shares

    def _after(self, job: Job, count: int, row: int) -> None:
        """So many more tokens of a job are in the cache; the last of them has logits."""
        self._sequences.extend(job.sequence, job.tokens[job.done : job.done + count])
        if job.cancelled:
            job.done += count  # the next round ends it
            return
        job.read(count)
        if row < 0:
            return
        try:
            logits = self._context.logits(row)
            if job.reading and bool(np.isnan(logits[:64]).any()):
                self._fail(job, _damaged())
                return
            job.take(logits)
            job.flush()
        except LockhouseError as error:
            self._fail(job, error)
            return
        except Exception as error:  # noqa: BLE001 - a bug ends one answer, not everyone's
            traceback.print_exc(limit=-3)
            self._fail(job, mistake(error))
            return
        if job.ended is not None:
            self._end(job, job.ended)

    def _fits_or_ends(self, job: Job) -> bool:
        """Whether the next token of a job has a place; if not, do what its policy says."""
        if len(job.tokens) <= self._context.length:
            return True
        return self._full(job)

    def _find_room(self, group: list[Job]) -> None:
        """The cache is full: drop what is idle, else the job that came last gives way."""
        if self._sequences.drop_idle():
            return
        if len(self._active) == 1:
            self._full(group[-1])
            return
        job = self._active[-1]
        self._release(job)
        job.done = self._sequences.cut_back(job.sequence, 0)
        self._waiting.insert(0, job)

    def _full(self, job: Job) -> bool:
        """The context is full. True when room was made, False when the answer ended."""
        if job.request.when_full == "cut_oldest" and self._roll(job):
            return True
        job.send(
            Notice(
                "context_full",
                f"The context of {self._context.length:,} tokens is full, so the answer stops "
                "here. Choose a larger context length, or let the oldest turns be cut.",
            )
        )
        self._end(job, "length")
        return False

    def _roll(self, job: Job) -> bool:
        """Leave out the oldest turns, or when none can go, the beginning of this answer."""
        length = self._context.length
        written = len(job.tokens) - job.prompt_tokens
        prompt = self._shorten(job, length - written - max(16, length // 8))
        if prompt is not None:
            kept = job.replace_prompt(prompt.tokens)
            notices = prompt.notices
        elif job.prompt_tokens <= length // 2:
            tokens = job.tokens[: job.prompt_tokens]
            kept = job.replace_prompt(tokens, forget_written=written // 2)
            text = "The model no longer sees the beginning of this answer: the context is full."
            notices = (Notice("turns_cut", text),)
        else:
            return False
        job.done = self._sequences.cut_back(job.sequence, kept)
        for notice in notices:
            job.send(notice)
        return True

    # -- the end of a job ------------------------------------------------------------------------

    def _release(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
        if job in self._active:
            self._active.remove(job)
            self._sequences.release(job.sequence)

    def _end(self, job: Job, reason: FinishReason) -> None:
        self._release(job)
        self._finish(job, reason)

    def _finish(self, job: Job, reason: FinishReason) -> None:
        job.finish(
            reason,
            build=self._build,
            template_sha256=self._model.template_sha256,
            context_length=self._context.length,
            settings=self._settings,
        )

    def _fail(self, job: Job, error: LockhouseError) -> None:
        self._release(job)
        job.fail(error)


def stopped() -> EngineCrashed:
    """The error of an answer whose engine was told to end."""
    return EngineCrashed(
        "The model was unloaded while it answered.",
        hint="Ask again, or continue the answer.",
        code="engine_stopped",
    )


def mistake(error: Exception) -> LockhouseError:
    """The error of an answer that met a bug."""
    return LockhouseError(f"The engine made a mistake: {type(error).__name__}.", code="bug")


def _damaged() -> InvalidInput:
    return InvalidInput(
        "The model computes nothing that is a number: its file is damaged.",
        hint="Get the file again, or verify its hash.",
        code="model_damaged",
    )
