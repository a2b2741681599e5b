"""Answers and scores over one context: which tokens go into the next batch, and what comes of them.

Each round gives every answer that is being written its next token, and fills the rest of the
batch with prompts that are being read.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

import numpy as np

from lockhouse.core.errors import EngineCrashed, InvalidInput, LockhouseError, NoRoom
from lockhouse.core.events import EngineBuild, FinishReason, Notice
from lockhouse.engine.process.chat_templates import Prompt
from lockhouse.engine.process.generation import Job
from lockhouse.engine.process.job_loop import ABORTED, JobLoop
from lockhouse.engine.process.model import Context, Model
from lockhouse.engine.process.native import why
from lockhouse.engine.process.scoring import ScoreJob
from lockhouse.engine.process.sequences import Sequences
from lockhouse.engine.process.thread_governor import ThreadGovernor

_MANY_ROWS = 8
_PROMPT_ROWS_BESIDE_WRITING = 128  # the longest that others wait for their next token
_NO_ROOM = 1  # llama_decode

_Row = tuple[int, int, int, bool]  # token, position, sequence, whether its logits are wanted
_Share = tuple[Job | ScoreJob, int, range]
Shorten = Callable[[Job, int], Prompt | None]


class Scheduler(JobLoop[Job | ScoreJob]):
    """Answers and scores, over the cache of one context."""

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
        super().__init__(context.abort)
        self._model = model
        self._context = context
        self._governor = governor
        self._build = build
        self._settings = settings
        self._shorten = shorten
        self._sequences = Sequences(model, context)
        self._threads = 0

    def _round(self) -> None:
        self._admit()
        jobs = list(self._active)
        for group in [[job] for job in jobs] if self._model.one_sequence_at_a_time else [jobs]:
            self._compute(group)

    def _admit(self) -> None:
        """Begin with what waits, in the order in which it came."""
        for job in list(self._waiting):
            if any(other.exact for other in self._active) or (job.exact and self._active):
                return
            taken = self._sequences.take(job.tokens, most_reused=job.wanted_from, exact=job.exact)
            if taken is None:
                return
            self._waiting.remove(job)
            self._active.append(job)
            job.begin(*taken)

    # -- computing -----------------------------------------------------------------------------

    def _compute(self, group: list[Job | ScoreJob]) -> None:
        """One batch for those of these jobs that still have a sequence.

        An exact job is always alone: nothing else was admitted.
        """
        group = [job for job in group if job in self._active and self._fits_or_ends(job)]
        if not group:
            return
        rows, shares = self._rows(group)
        threads = self._threads_for(group, len(rows))
        if threads != self._threads:
            self._context.set_threads(threads)
            self._threads = threads
        code = self._guarded([job for job, _, _ in shares], lambda: self._context.decode(rows))
        if code != 0:
            for job, _, _ in shares:
                job.done = self._sequences.cut_back(job.sequence, job.done)
        if code == _NO_ROOM:
            self._find_room(group)
        elif code == 0:
            for job, count, wanted in shares:
                job.threads = threads
                self._after(job, count, wanted)
        elif code != ABORTED and len(shares) > 1:
            for job, _, _ in shares:  # whose fault it was shows when each is alone
                self._compute([job])
        elif code != ABORTED:
            error = EngineCrashed(
                f"llama.cpp could not compute this answer ({code}): {why()}",
                hint="Ask again; if it happens again, unload the model first.",
                code="decode_failed",
            )
            self._fail(shares[0][0], error)

    def _threads_for(self, group: list[Job | ScoreJob], rows: int) -> int:
        """A prompt has so much work between two meetings of the threads that it bears company."""
        if group[0].exact:
            return self._governor.fixed
        is_prompt = rows >= _MANY_ROWS and any(job.reading for job in group)
        return self._governor.most if is_prompt else self._governor.threads()

    def _rows(self, group: list[Job | ScoreJob]) -> tuple[list[_Row], list[_Share]]:
        """A batch for these jobs, and per job how many of its tokens and which rows have logits."""
        # What a form prescribes comes several tokens at once: whoever has one is not to wait.
        writing = sorted(
            (job for job in group if not job.reading), key=lambda job: len(job.tokens) - job.done
        )
        reading = [job for job in group if job.reading]
        rows: list[_Row] = []
        shares: list[_Share] = []
        most = self._context.batch_size
        if len(self._active) > 1 and not all(job.reading for job in self._active):
            most = min(most, len(writing) + _PROMPT_ROWS_BESIDE_WRITING)
        spare = self._context.sequences - len(group)  # logits there is room for, beyond one each
        for job in writing + reading:
            first = max(job.wanted_from - job.done, 0)
            todo = job.tokens[job.done :][: min(most - len(rows), first + 1 + spare)]
            if not todo:
                break
            spare -= max(0, len(todo) - first - 1)
            shares.append((job, len(todo), range(len(rows) + first, len(rows) + len(todo))))
            rows += [
                (token, job.done + i, job.sequence, i >= first) for i, token in enumerate(todo)
            ]
        return rows, shares

    def _after(self, job: Job | ScoreJob, count: int, rows: range) -> None:
        """So many more tokens of a job are in the cache; these rows have logits."""
        self._sequences.extend(job.sequence, job.tokens[job.done : job.done + count])
        if job.cancelled:
            job.done += count  # the next round ends it
            return
        job.read(count)
        try:
            for row in rows:
                logits = self._context.logits(row)
                if job.reading and bool(np.isnan(logits[:64]).any()):
                    raise _damaged()  # noqa: TRY301 - all that goes wrong here ends the job alike
                job.take(logits)
            if rows:
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

    def _fits_or_ends(self, job: Job | ScoreJob) -> bool:
        """Whether the next token of a job has a place; if not, do what its policy says."""
        if len(job.tokens) <= self._context.length:
            return True
        return self._full(job)

    def _find_room(self, group: list[Job | ScoreJob]) -> None:
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

    def _full(self, job: Job | ScoreJob) -> bool:
        """The context is full. True when room was made, False when the answer ended."""
        if isinstance(job, ScoreJob):
            self._fail(job, NoRoom("The context is full.", hint="Choose a larger context length."))
            return False
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

    def _release(self, job: Job | ScoreJob) -> None:
        if job in self._active:
            self._sequences.release(job.sequence)
        super()._release(job)

    def _finish(self, job: Job | ScoreJob, reason: FinishReason) -> None:
        job.finish(
            reason,
            build=self._build,
            template_sha256=self._model.template_sha256,
            context_length=self._context.length,
            settings=self._settings,
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
