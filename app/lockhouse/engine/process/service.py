"""The engine as its clients see it: loads the model, listens, answers and counts, ends when idle.

Threads: the main one loads and then computes; one accepts connections, and does no more than
that; each connection has one of its own, so that a client that is silent, slow or gone delays
nobody else.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from lockhouse import processes, seal
from lockhouse.core.errors import Cancelled, EngineCrashed, LockhouseError
from lockhouse.core.events import EngineBuild, Event, Failed, Finished, LoadProgress, failed_of
from lockhouse.core.request import AnswerRequest
from lockhouse.engine import protocol
from lockhouse.engine.process.chat_templates import PromptBuilder, Renderer
from lockhouse.engine.process.event_writer import EventWriter
from lockhouse.engine.process.native import build, load_model, start_backend
from lockhouse.engine.process.occupancy import Client, Occupancy
from lockhouse.engine.process.prompt_fit import PromptFitter
from lockhouse.engine.process.thread_governor import ThreadGovernor
from lockhouse.engine.protocol import EngineState, EngineStatus, StartOrder, TokenCount, Work

if TYPE_CHECKING:  # these need numpy, which is imported while the model loads
    from lockhouse.engine.process.job_factory import AnyJob, JobFactory
    from lockhouse.engine.process.job_loop import JobLoop
    from lockhouse.engine.process.model import Model

_DEFAULT_CONTEXT = 8192
_MOST_SEQUENCES = 16
_FIRST_CLIENT_S = 10.0
_FIRST_OPERATION_S = 20.0  # a client that says nothing has gone wrong
_FAILURE_TOLD_S = 5.0
_LAST_WORDS_S = 1.0


class Service:
    """One loaded model and everyone who uses it."""

    def __init__(
        self, order: StartOrder, listener: Listener, key: bytes, *, confined: bool
    ) -> None:
        self._order = order
        self._listener = listener
        self._key = key
        self._confined = confined
        self._loaded = threading.Event()
        self._failure: LockhouseError | None = None
        self._fraction = 0.0
        self._occupancy = Occupancy(idle_limit_s=order.idle_limit_s, first_client_s=_FIRST_CLIENT_S)
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._renderer: Renderer | None = None
        self._jobs: JobFactory | None = None
        self._scheduler: JobLoop[Any] | None = None
        self._context_length = 0
        self._threads = 0
        self._build = EngineBuild()

    def run(self) -> int:
        """Load, then compute until idle for long enough or told to stop."""
        threading.Thread(target=self._accept, name="accept", daemon=True).start()
        try:
            scheduler = self._load()
        except LockhouseError as error:
            self._failure = _stopped() if self._occupancy.is_over else error
            self._loaded.set()
            self._occupancy.wait_until_told(_FAILURE_TOLD_S)
            self._close_renderer()
            return 0
        self._scheduler = scheduler
        self._loaded.set()
        threading.Thread(target=self._close_at_the_end, name="end", daemon=True).start()
        try:
            scheduler.run()
        finally:
            self._close_renderer()
        self._occupancy.wait_until_told(_LAST_WORDS_S)
        return 0

    def _close_at_the_end(self) -> None:
        assert self._scheduler is not None
        self._occupancy.wait_for_end()
        self._scheduler.close()

    # -- loading -------------------------------------------------------------------------------

    def _load(self) -> JobLoop[Any]:
        settings = self._order.spec.settings
        # Confined like this process: a template sees no file of the user's either.
        self._renderer = Renderer([*processes.own_command(), "--template-renderer"])
        start_backend()
        loading = _Loading(self._order, self._on_progress)

        from lockhouse.engine.process.job_factory import ChatJobs
        from lockhouse.engine.process.model import AbortFlag, Context, Model
        from lockhouse.engine.process.scheduler import Scheduler

        self._build = build()
        model = Model(loading.result(), extra_buffers=settings.extra_buffers)
        governor = ThreadGovernor(settings.threads)
        self._threads = governor.most
        if model.pooling:
            return self._embedding(model, governor)
        wanted = settings.context_length or min(model.trained_context, _DEFAULT_CONTEXT)
        parallel = max(1, min(settings.parallel, _MOST_SEQUENCES))
        settings = msgspec.structs.replace(settings, parallel=parallel)
        context = Context(
            model,
            settings,
            context_length=max(256, wanted),
            threads=self._threads,
            abort=AbortFlag(),
        )
        if not context.remembers:  # it reads whole texts only, though its file does not say how
            return self._embedding(model, governor)
        self._context_length = context.length
        prompts = PromptFitter(
            PromptBuilder(model.vocabulary, model.chat_template, self._renderer),
            context_length=context.length,
            trained_context=model.trained_context,
        )
        self._jobs = ChatJobs(self._order.spec.model_name, model, prompts, context.length)
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
            shorten=lambda job, room: prompts.cut(job.request, room),
        )

    def _embedding(self, model: Model, governor: ThreadGovernor) -> JobLoop[Any]:
        """For a model that turns texts into vectors or ranks them."""
        from lockhouse.engine.process.embedding import EmbeddingContext, EmbeddingScheduler
        from lockhouse.engine.process.job_factory import EmbeddingJobs
        from lockhouse.engine.process.model import AbortFlag

        self._close_renderer()  # it has no chat template
        spec = self._order.spec
        context = EmbeddingContext(model, spec.settings, threads=governor.most, abort=AbortFlag())
        self._context_length = context.length
        self._jobs = EmbeddingJobs(spec.model_name, model, context)
        return EmbeddingScheduler(context, governor, build=self._build)

    def _on_progress(self, fraction: float) -> bool:
        self._fraction = fraction
        return not self._occupancy.is_over

    # -- connections ---------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:  # a client that went away, or no more files to be had
                time.sleep(0.01)
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            protocol.welcome(connection, self._key)
            protocol.set_limit(connection, receive_s=_FIRST_OPERATION_S)
            operation = protocol.receive_operation(connection)
            protocol.set_limit(connection)
            self._carry_out(operation, connection)
        except LockhouseError as error:
            with contextlib.suppress(OSError):
                protocol.send(connection, failed_of(error))
        except (OSError, EOFError, AuthenticationError, msgspec.DecodeError):
            pass  # the client went away, is a stranger, or speaks another language
        finally:
            connection.close()

    def _carry_out(self, operation: protocol.Operation, connection: Connection) -> None:
        match operation:
            case protocol.Answer() | protocol.Embed() | protocol.Rank() | protocol.Score():
                with self._occupancy.client() as client:
                    self._work(connection, client, operation)
            case protocol.CountTokens(request):
                with self._occupancy.client():
                    protocol.send(connection, self._count(connection, request))
            case protocol.Inquire():
                protocol.send(connection, self._status())
            case protocol.Prove():
                protocol.send(connection, protocol.Proved(tuple(seal.self_test())))
            case protocol.Stop(when_idle):
                if when_idle:
                    self._occupancy.retire()
                else:
                    self._occupancy.stop()
            case _:
                pass

    def _work(self, connection: Connection, client: Client, operation: Work) -> None:
        writer = EventWriter(connection, ended=client.done)
        job: AnyJob | None = None
        try:
            started = time.perf_counter()
            answer_now = self._wait_loaded(connection, writer.put)
            assert self._jobs is not None
            job = self._jobs.job(operation, writer.put, started)
            assert self._scheduler is not None
            self._scheduler.submit(job)
            if answer_now:
                self._scheduler.answer_now(job)
            self._follow(connection, job)
        except Cancelled:
            writer.put(Finished("cancelled"))
        except LockhouseError as error:
            writer.put(failed_of(error))
        except (OSError, EOFError):
            if job is None:
                return
            assert self._scheduler is not None
            self._scheduler.cancel(job)
        except Exception as error:  # noqa: BLE001 - a bug ends one answer, not everyone's
            traceback.print_exc(limit=-3)
            writer.put(Failed("bug", f"The engine made a mistake: {type(error).__name__}."))
        writer.wait_for_end()

    def _follow(self, connection: Connection, job: AnyJob) -> None:
        """Take orders about an answer until the client closes, which takes the answer back."""
        assert self._scheduler is not None
        while True:
            match protocol.receive_operation(connection):
                case protocol.Cancel():
                    self._scheduler.cancel(job)
                case protocol.AnswerNow():
                    self._scheduler.answer_now(job)
                case _:
                    pass

    def _wait_loaded(self, connection: Connection, send: Callable[[Event], None]) -> bool:
        """Until the model can be used; whether the trace is to be ended at once.

        Raises why it cannot be used, Cancelled when the client no longer wants it, and EOFError
        when the client is gone.
        """
        answer_now = False
        while not self._loaded.wait(0.1):
            send(LoadProgress(self._fraction))
            while connection.poll(0):
                operation = protocol.receive_operation(connection)
                if isinstance(operation, protocol.Cancel):
                    raise Cancelled
                answer_now = answer_now or isinstance(operation, protocol.AnswerNow)
        if self._failure is not None:
            raise self._failure
        return answer_now

    def _count(self, connection: Connection, request: AnswerRequest) -> TokenCount:
        self._wait_loaded(connection, lambda _event: None)
        assert self._jobs is not None
        return TokenCount(self._jobs.count(request), self._context_length)

    # -- state -------------------------------------------------------------------------

    def _status(self) -> EngineStatus:
        spec = self._order.spec
        running = self._scheduler.running if self._scheduler is not None else 0
        state: EngineState = "ready" if self._loaded.is_set() else "loading"
        return EngineStatus(
            id=self._order.id,
            pid=os.getpid(),
            model_path=spec.model_path,
            model_name=spec.model_name,
            state="ending" if self._occupancy.is_ending else state,
            context_length=self._context_length,
            threads=self._threads,
            clients=self._occupancy.clients,
            active=running,
            idle_s=round(self._occupancy.idle_s, 3),
            idle_limit_s=self._order.idle_limit_s,
            memory_bytes=psutil.Process().memory_info().rss,
            started_at=self._started_at,
            build=self._build,
            settings=spec.settings,
            confined=self._confined,
        )

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()


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


def _stopped() -> EngineCrashed:
    return EngineCrashed(
        "The model was unloaded before it answered.",
        hint="Ask again, or continue the answer.",
        code="engine_stopped",
    )
