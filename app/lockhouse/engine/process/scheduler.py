"""The loop that computes: several answers at once over one context.

Each round gives every answer that is being written its next token, and fills the rest of the
batch with prompts that are being read. Sequences keep their tokens after an answer, so the next
turn of the same conversation reads only what is new. Runs in one thread: llama.cpp's contexts
allow no other; everyone else talks to it through a queue.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from lockhouse.core.errors import EngineCrashed, InvalidInput, LockhouseError
from lockhouse.core.events import EngineBuild, FinishReason, Notice
from lockhouse.engine.process.chat_templates import Prompt
from lockhouse.engine.process.generation import Job, common_prefix
from lockhouse.engine.process.model import Context, Model
from lockhouse.engine.process.native import why
from lockhouse.engine.process.thread_governor import ThreadGovernor

_WORTH_KEEPING = 0.5  # share of a sequence that must match before it is cut back
_WORTH_COPYING = 16  # tokens
_MANY_ROWS = 8
_NO_ROOM, _ABORTED = 1, 2  # llama_decode

Shorten = Callable[[Job, int], Prompt | None]


@dataclass(slots=True)
class _Sequence:
    """One sequence of the cache and whose it is."""

    id: int
    tokens: list[int] = field(default_factory=list)
    job: Job | None = None
    used_at: float = 0.0


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
        self._sequences = [_Sequence(number) for number in range(context.sequences)]
        self._threads = 0

    # -- from other threads ----------------------------------------------------------------

    def submit(self, job: Job) -> None:
        """Answer it as soon as there is room."""
        self._orders.put(lambda: self._waiting.append(job))

    def cancel(self, job: Job) -> None:
        """Stop it now; what came is kept."""
        job.cancelled = True
        self._context.abort.set(wanted=True)
        self._orders.put(lambda: None)

    def answer_now(self, job: Job) -> None:
        """End its reasoning trace."""
        self._orders.put(job.answer_now)

    def close(self) -> None:
        """End the loop; running answers end as cancelled."""
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
            for group in self._groups():
                self._compute(group)
        for job in [*self._active, *self._waiting]:
            self._end(job, "cancelled")

    def _take_orders(self) -> bool:
        """Carry out what was ordered; wait when there is nothing else to do."""
        idle = not self._active and not self._waiting
        while idle or not self._orders.empty():
            order = self._orders.get()
            if order is None:
                return False
            self._context.abort.set(wanted=False)
            order()
            idle = False
        return True

    def _drop_cancelled(self) -> None:
        for job in [job for job in (*self._active, *self._waiting) if job.cancelled]:
            self._end(job, "cancelled")

    def _groups(self) -> list[list[Job]]:
        """What may be computed together: an exact answer only alone."""
        together = [job for job in self._active if not job.exact]
        return [[job] for job in self._active if job.exact] + ([together] if together else [])

    # -- admission -----------------------------------------------------------------------------

    def _admit(self) -> None:
        for job in list(self._waiting):
            if any(other.exact for other in self._active) or (job.exact and self._active):
                return
            sequence = self._place(job)
            if sequence is None:
                return
            self._waiting.remove(job)
            self._active.append(job)

    def _place(self, job: Job) -> _Sequence | None:
        free = [sequence for sequence in self._sequences if sequence.job is None]
        if not free:
            return None
        if job.exact:  # nothing of the past may change a rounding
            for sequence in free:
                self._clear(sequence)
            return self._occupy(free[0], job, 0)
        shared, best = max(
            (
                (common_prefix(sequence.tokens, job.tokens), sequence)
                for sequence in self._sequences
            ),
            key=lambda pair: (pair[0], pair[1].job is None),
        )
        chosen, source = best, best
        if best.job is not None or shared < _WORTH_KEEPING * len(best.tokens):
            chosen = min((s for s in free), key=lambda s: (bool(s.tokens), s.used_at))
        shared = self._usable(source, min(shared, len(job.tokens) - 1))
        if chosen is not source:
            if shared < _WORTH_COPYING:
                shared = 0
            self._clear(chosen)
        if not self._make_room(len(job.tokens) - shared, {chosen.id, source.id}):
            return None
        if chosen is not source and shared:
            self._context.copy_prefix(source.id, chosen.id, shared)
        elif not self._context.forget(chosen.id, shared):
            self._clear(chosen)
            shared = 0
        return self._occupy(chosen, job, shared)

    def _occupy(self, sequence: _Sequence, job: Job, shared: int) -> _Sequence:
        sequence.tokens = job.tokens[:shared]
        sequence.job = job
        job.begin(sequence.id, shared)
        return sequence

    def _usable(self, source: _Sequence, shared: int) -> int:
        """How much of a prefix can really be taken over from what the cache still holds."""
        if shared <= 0 or (source.job is not None and not self._model.rewindable):
            return 0
        if not self._model.rewindable:
            return shared if shared == len(source.tokens) else 0
        if self._model.window > 0:
            oldest = self._context.first_position(source.id)
            if oldest > max(0, shared - self._model.window):
                return 0
        return shared

    def _clear(self, sequence: _Sequence) -> None:
        self._context.forget(sequence.id)
        sequence.tokens = []

    def _make_room(self, needed: int, keep: set[int]) -> bool:
        """Drop idle sequences, oldest first, until so many cells are free."""
        idle = sorted(
            (s for s in self._sequences if s.job is None and s.id not in keep and s.tokens),
            key=lambda s: s.used_at,
        )
        while self._free_cells() < needed and idle:
            self._clear(idle.pop(0))
        return self._free_cells() >= needed or not self._active

    def _free_cells(self) -> int:
        return self._context.length - sum(len(sequence.tokens) for sequence in self._sequences)

    # -- computing -----------------------------------------------------------------------------

    def _compute(self, group: list[Job]) -> None:
        group = [job for job in group if self._fits_or_ends(job)]
        if not group:
            return
        rows, shares = self._rows(group)
        threads = self._threads_for(group, len(rows))
        if threads != self._threads:
            self._context.set_threads(threads)
            self._threads = threads
        code = self._context.decode(rows)
        if code in (_ABORTED, _NO_ROOM):
            for job, _, _ in shares:
                self._context.forget(job.sequence, job.done)
            if code == _NO_ROOM:
                self._find_room(group)
            return
        if code != 0:
            error = EngineCrashed(
                f"llama.cpp could not compute this answer ({code}): {why()}",
                hint="Ask again; if it happens again, unload the model first.",
                code="decode_failed",
            )
            for job in group:
                self._fail(job, error)
            return
        for job, count, row in shares:
            job.threads = threads
            self._after(job, count, row)

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
        for job in writing + reading:
            room = self._context.batch_size - len(rows)
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
        sequence = self._sequences[job.sequence]
        sequence.tokens += job.tokens[job.done : job.done + count]
        job.read(count)
        if row < 0:
            return
        logits = self._context.logits(row)
        if job.reading and bool(np.isnan(logits[:64]).any()):
            self._fail(
                job,
                InvalidInput(
                    "The model computes nothing that is a number: its file is damaged.",
                    hint="Get the file again, or verify its hash.",
                    code="model_damaged",
                ),
            )
            return
        try:
            job.take(logits)
        except LockhouseError as error:
            self._fail(job, error)
            return
        job.flush()
        if job.ended is not None:
            self._end(job, job.ended)

    def _fits_or_ends(self, job: Job) -> bool:
        """Whether the next token of a job has a place; if not, do what its policy says."""
        if len(job.tokens) <= self._context.length:
            return True
        return self._full(job)

    def _find_room(self, group: list[Job]) -> None:
        """The cache is full: drop what is idle, else the job that came last gives way."""
        idle = [s for s in self._sequences if s.job is None and s.tokens]
        for sequence in idle:
            self._clear(sequence)
        if idle:
            return
        if len(self._active) == 1:
            self._full(group[-1])
            return
        job = self._active[-1]
        self._release(job)
        self._clear(self._sequences[job.sequence])
        job.done = 0
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
        sequence = self._sequences[job.sequence]
        if not self._context.forget(job.sequence, kept):
            self._clear(sequence)
            kept = job.done = 0
        sequence.tokens = sequence.tokens[:kept]
        for notice in notices:
            job.send(notice)
        return True

    # -- the end of a job ------------------------------------------------------------------------

    def _release(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
        if job in self._active:
            self._active.remove(job)
            sequence = self._sequences[job.sequence]
            self._context.forget(job.sequence, len(sequence.tokens))
            sequence.job = None
            sequence.used_at = time.monotonic()

    def _end(self, job: Job, reason: FinishReason) -> None:
        self._release(job)
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
