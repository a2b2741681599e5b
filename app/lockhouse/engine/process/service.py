"""The engine as its clients see it: loads the model, listens, answers, counts, ends when idle.

Threads: the main one loads and then computes; one accepts connections; two serve each
connection, so that a client that stops reading delays nobody else.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from lockhouse import processes, seal
from lockhouse.core.errors import EngineCrashed, InvalidInput, LockhouseError, NoRoom
from lockhouse.core.events import EngineBuild, Event, Failed, LoadProgress, Notice
from lockhouse.core.request import AnswerRequest
from lockhouse.engine import protocol
from lockhouse.engine.process.chat_templates import Prompt, PromptBuilder, Renderer
from lockhouse.engine.process.event_writer import EventWriter
from lockhouse.engine.process.native import build, load_model, start_backend
from lockhouse.engine.process.thread_governor import ThreadGovernor
from lockhouse.engine.protocol import EngineStatus, StartOrder, TokenCount

if TYPE_CHECKING:  # these need numpy, which is imported while the model loads
    from lockhouse.engine.process.generation import Job
    from lockhouse.engine.process.scheduler import Scheduler

_DEFAULT_CONTEXT = 8192
_MOST_SEQUENCES = 16
_FIRST_CLIENT_S = 10.0


class Service:
    """One loaded model and everyone who uses it."""

    def __init__(self, order: StartOrder, listener: Listener, *, confined: bool) -> None:
        self._order = order
        self._listener = listener
        self._confined = confined
        self._loaded = threading.Event()
        self._failure: LockhouseError | None = None
        self._fraction = 0.0
        self._lock = threading.Lock()
        self._clients = 0
        self._retiring = False
        self._quiet_since = time.monotonic()
        self._grace_s = _FIRST_CLIENT_S  # for whoever started it to come
        self._quiet = threading.Condition(self._lock)
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._render_lock = threading.Lock()
        self._renderer: Renderer | None = None
        self._builder: PromptBuilder | None = None
        self._scheduler: Scheduler | None = None
        self._context_length = 0
        self._trained_context = 0
        self._threads = 0
        self._build = EngineBuild()

    def run(self) -> int:
        """Load, then compute until idle for long enough or told to stop."""
        threading.Thread(target=self._accept, name="accept", daemon=True).start()
        try:
            scheduler = self._load()
        except LockhouseError as error:
            self._failure = error
            self._loaded.set()
            self._wait_until_told()
            return 0
        self._scheduler = scheduler
        self._loaded.set()
        threading.Thread(target=self._watch_idleness, name="idle", daemon=True).start()
        try:
            scheduler.run()
        finally:
            self._close_renderer()
        self._drain()
        return 0

    # -- loading -------------------------------------------------------------------------------

    def _load(self) -> Scheduler:
        settings = self._order.spec.settings
        # Confined like this process: a template sees no file of the user's either.
        self._renderer = Renderer([*processes.own_command(), "--template-renderer"])
        start_backend()
        loading = _Loading(self._order, self._on_progress)

        from lockhouse.engine.process.model import AbortFlag, Context, Model
        from lockhouse.engine.process.scheduler import Scheduler

        self._build = build()
        model = Model(loading.result())
        self._trained_context = model.trained_context
        wanted = settings.context_length or min(model.trained_context, _DEFAULT_CONTEXT)
        governor = ThreadGovernor(settings.threads)
        self._threads = governor.most
        parallel = max(1, min(settings.parallel, _MOST_SEQUENCES))
        settings = msgspec.structs.replace(settings, parallel=parallel)
        context = Context(
            model,
            settings,
            context_length=max(256, wanted),
            threads=self._threads,
            abort=AbortFlag(),
        )
        self._context_length = context.length
        self._builder = PromptBuilder(model.vocabulary, model.chat_template, self._renderer)
        self._vocabulary = model.vocabulary
        return Scheduler(
            model,
            context,
            governor,
            build=self._build,
            settings={
                "context_length": context.length,
                "kv_type": settings.kv_type,
                "batch": settings.batch,
                "flash_attention": settings.flash_attention,
                "extra_buffers": settings.extra_buffers,
            },
            shorten=self._shorten,
        )

    def _on_progress(self, fraction: float) -> bool:
        self._fraction = fraction
        return not self._retiring

    # -- connections ---------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._retiring:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):
                continue  # a stranger without the key, or a client that went away
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            match protocol.receive_operation(connection):
                case protocol.Answer(request):
                    with self._as_client():
                        self._answer(connection, request)
                case protocol.CountTokens(request):
                    with self._as_client():
                        self._count(connection, request)
                case protocol.Hold():
                    with self._as_client():
                        protocol.send(connection, self._status())
                        protocol.receive_operation(connection)
                case protocol.Inquire():
                    protocol.send(connection, self._status())
                case protocol.Prove():
                    protocol.send(connection, protocol.Proved(tuple(seal.self_test())))
                case protocol.Stop(when_idle):
                    self._stop(when_idle)
                case _:
                    pass
        except (OSError, EOFError, msgspec.DecodeError):
            pass  # the client went away, or speaks another language
        finally:
            connection.close()

    @contextlib.contextmanager
    def _as_client(self) -> Iterator[None]:
        """Count as someone who uses the model, for the idle time."""
        with self._lock:
            self._clients += 1
            self._grace_s = 0.0
        try:
            yield
        finally:
            with self._quiet:
                self._clients -= 1
                self._quiet_since = time.monotonic()
                self._quiet.notify_all()

    def _answer(self, connection: Connection, request: AnswerRequest) -> None:
        outbox = EventWriter(connection)
        job: Job | None = None
        try:
            started = time.perf_counter()
            self._wait_loaded(outbox.put)
            job = self._job(request, outbox.put, started)
            assert self._scheduler is not None
            self._scheduler.submit(job)
            self._follow(connection, job)
        except LockhouseError as error:
            outbox.put(_failed(error))
        except (OSError, EOFError):
            if job is None:
                return
            assert self._scheduler is not None
            self._scheduler.cancel(job)
        except Exception as error:  # noqa: BLE001 - a bug ends one answer, not everyone's
            traceback.print_exc(limit=-3)
            outbox.put(Failed("bug", f"The engine made a mistake: {type(error).__name__}."))
        outbox.wait_for_end()

    def _follow(self, connection: Connection, job: Job) -> None:
        """Take orders about a running answer until the client closes."""
        assert self._scheduler is not None
        while True:
            match protocol.receive_operation(connection):
                case protocol.Cancel():
                    self._scheduler.cancel(job)
                case protocol.AnswerNow():
                    self._scheduler.answer_now(job)
                case _:
                    pass

    def _wait_loaded(self, send: Callable[[Event], None]) -> None:
        while not self._loaded.wait(0.1):
            send(LoadProgress(self._fraction))
        if self._failure is not None:
            raise self._failure
        if self._retiring:
            raise EngineCrashed("The engine is ending.", code="engine_retired")

    # -- prompts -------------------------------------------------------------------------------

    def _job(self, request: AnswerRequest, send: Callable[[Event], None], started: float) -> Job:
        prompt = self._prompt(request)
        room = self._context_length - 1
        if len(prompt.tokens) > room and request.when_full == "cut_oldest":
            prompt = self._cut(request, room - max(64, room // 4)) or prompt
        if len(prompt.tokens) > room:
            raise NoRoom(
                f"The prompt takes {len(prompt.tokens):,} tokens, and the context holds "
                f"{self._context_length:,}.",
                hint=self._way_out(request),
                code="prompt_too_long",
            )
        if not prompt.tokens:
            raise InvalidInput("There is nothing to answer.", hint="Write something first.")
        for notice in prompt.notices:
            send(notice)
        from lockhouse.engine.process.generation import Job

        return Job(request, prompt, self._vocabulary, send, submitted_at=started)

    def _way_out(self, request: AnswerRequest) -> str:
        """What can help when a prompt is too long here."""
        ways = ["shorten it"]
        if self._context_length < self._trained_context:
            ways.append(f"choose a context length of up to {self._trained_context:,} tokens")
        if len(request.turns) > 2 and request.when_full == "stop":
            ways.append("let the oldest turns be left out")
        if len(ways) == 1:
            ways.append("ask a model with a larger context")
        sentence = ", ".join(ways[:-1]) + " or " + ways[-1]
        return sentence[0].upper() + sentence[1:] + "."

    def _prompt(self, request: AnswerRequest) -> Prompt:
        assert self._builder is not None
        with self._render_lock:
            return self._builder.build(request.turns, request.prefill)

    def _cut(self, request: AnswerRequest, room: int) -> Prompt | None:
        """The prompt without its oldest turns, within ``room`` tokens; the system turn stays."""
        system = tuple(turn for turn in request.turns[:1] if turn.role == "system")
        rest = request.turns[len(system) :]
        low, high = 1, len(rest) - 1
        best: Prompt | None = None
        dropped = 0
        while low <= high:  # the fewest dropped turns that fit
            middle = (low + high) // 2
            shorter = msgspec.structs.replace(request, turns=system + rest[middle:])
            prompt = self._prompt(shorter)
            if len(prompt.tokens) <= room:
                best, dropped, high = prompt, middle, middle - 1
            else:
                low = middle + 1
        if best is None:
            return None
        turns = "turn" if dropped == 1 else "turns"
        notice = Notice(
            "turns_cut",
            f"The oldest {dropped} {turns} no longer fit into the context of "
            f"{self._context_length:,} tokens and were left out.",
        )
        return Prompt(best.tokens, best.ending, (*best.notices, notice))

    def _shorten(self, job: Job, room: int) -> Prompt | None:
        return self._cut(job.request, room)

    def _count(self, connection: Connection, request: AnswerRequest) -> None:
        try:
            self._wait_loaded(lambda _event: None)
            tokens = len(self._prompt(request).tokens)
        except LockhouseError as error:
            protocol.send(connection, _failed(error))
            return
        protocol.send(connection, TokenCount(tokens, self._context_length))

    # -- state and end -------------------------------------------------------------------------

    def _status(self) -> EngineStatus:
        spec = self._order.spec
        running = self._scheduler.running if self._scheduler is not None else 0
        with self._lock:
            idle_s = 0.0 if self._clients else time.monotonic() - self._quiet_since
            return EngineStatus(
                id=self._order.id,
                pid=os.getpid(),
                model_path=spec.model_path,
                model_name=spec.model_name,
                state="ready" if self._loaded.is_set() else "loading",
                context_length=self._context_length,
                threads=self._threads,
                clients=self._clients,
                active=running,
                idle_s=round(idle_s, 3),
                idle_limit_s=self._order.idle_limit_s,
                memory_bytes=psutil.Process().memory_info().rss,
                started_at=self._started_at,
                build=self._build,
                settings=spec.settings,
                confined=self._confined,
            )

    def _stop(self, when_idle: bool) -> None:  # noqa: FBT001 - comes from a match
        self._retiring = True
        if when_idle:
            with self._quiet:
                self._quiet.wait_for(lambda: self._clients == 0)
        if self._scheduler is not None:
            self._scheduler.close()

    def _watch_idleness(self) -> None:
        limit_s = self._order.idle_limit_s
        assert self._scheduler is not None
        with self._quiet:
            while not self._retiring:
                if self._clients:
                    self._quiet.wait()
                    continue
                allowed_s = max(limit_s, self._grace_s)
                left_s = allowed_s - (time.monotonic() - self._quiet_since)
                if left_s <= 0:
                    self._retiring = True
                    break
                self._quiet.wait(left_s)
        self._scheduler.close()

    def _wait_until_told(self) -> None:
        """After a failed load: tell those who wait why, then end."""
        deadline = time.monotonic() + 5
        with self._quiet:
            self._quiet.wait(0.5)
            while self._clients and time.monotonic() < deadline:
                self._quiet.wait(0.2)
        self._close_renderer()

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()

    def _drain(self) -> None:
        """Let the last words out before the process ends."""
        deadline = time.monotonic() + 1
        with self._quiet:
            while self._clients and time.monotonic() < deadline:
                self._quiet.wait(0.05)


class _Loading:
    """The model being loaded, in a thread that is native code nearly all the time."""

    def __init__(self, order: StartOrder, on_progress: Callable[[float], bool]) -> None:
        self._handle: Any = None
        self._error: LockhouseError | None = None

        def work() -> None:
            try:
                path = Path(order.spec.model_path)
                self._handle = load_model(path, order.spec.settings, on_progress)
            except LockhouseError as error:
                self._error = error

        self._thread = threading.Thread(target=work, name="load")
        self._thread.start()

    def result(self) -> Any:
        """The handle; raises what went wrong."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._handle


def _failed(error: LockhouseError) -> Failed:
    return Failed(error.code, error.message, error.hint, error.exit_code)
