"""Local models as targets: from a model of the library to an engine that answers.

Here a model's header is checked before native code sees the file, and the context that fits this
machine's memory is chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lockhouse.answer.energy import EnergyMeter
from lockhouse.answer.model_hashes import ModelHashes
from lockhouse.answer.target import TargetInfo, suited
from lockhouse.core.cancellation import CancelToken
from lockhouse.core.errors import InvalidInput, LockhouseError, NoRoom, NotFound
from lockhouse.core.events import (
    Event,
    Finished,
    LoadProgress,
    Notice,
    Reasoning,
    Text,
    Timing,
)
from lockhouse.core.messages import Turn
from lockhouse.core.request import AnswerRequest
from lockhouse.engine.answer_forms import AnswerForms
from lockhouse.engine.checkup import EngineCheckup
from lockhouse.engine.pool import EnginePool
from lockhouse.engine.protocol import (
    LONGEST_TEXT_UNASKED,
    EngineSpec,
    LoadSettings,
    TokenCount,
    path_of,
)
from lockhouse.library.fit import (
    MARGIN_BYTES,
    SMALLEST_CONTEXT,
    Machine,
    choose_context,
    machine_now,
)
from lockhouse.library.gguf.header import read_header
from lockhouse.library.gguf.loadable import check_loadable
from lockhouse.library.gguf.memory import LoadShape, estimate_memory
from lockhouse.library.gguf.shape import Shape
from lockhouse.library.model_info import ModelInfo, Profile
from lockhouse.library.models import Models
from lockhouse.library.profiles import filled, with_preset

if TYPE_CHECKING:
    from lockhouse.gate.outbound import Outbound
    from lockhouse.storage.settings import Settings

_MEASURED_TOKENS = 16
_CANNOT_CHAT = {
    "embedding": "is an embedding model: it turns text into vectors and cannot answer.",
    "reranking": "is a reranker: it ranks documents by a question and cannot answer.",
    "draft": "is a draft model: it guesses ahead for a larger model and cannot answer by itself.",
}
_USABLE = ("ready", "changed")
_OTHER_TEMPLATE = (
    "This model has a prompt template of its own, in Ollama's language. It is not used: the one in "
    "the model file is."
)
_READS_WHOLE_TEXTS = {"embedding", "reranking"}
_STARTER_INSTRUCTIONS = "You are a helpful AI assistant. Answer in plain English."


@dataclass(eq=False, repr=False)
class LocalTarget:
    """One model file, with the settings it is loaded with."""

    _model: ModelInfo
    _models: Models
    _engines: EnginePool
    _hashes: ModelHashes
    _settings: LoadSettings
    _forms: AnswerForms
    _profile: Profile | None = None

    @property
    def info(self) -> TargetInfo:
        """What it is."""
        model = self._model
        return TargetInfo(
            name=model.name,
            kind="local",
            title=model.title,
            detail=", ".join(part for part in (model.quality, model.quantization) if part),
            sha256=model.sha256,
            context_length=model.context_length or 0,
            capabilities=tuple(model.capabilities),
            thinking=model.thinking,
            size_bytes=model.size_bytes,
            instructions=(self._profile.system if self._profile else "")
            or (model.preset.system if model.preset else "")
            or (_STARTER_INSTRUCTIONS if model.included else ""),
        )

    def preview(self, request: AnswerRequest) -> None:
        """Nothing leaves this machine."""

    def obstacle(self) -> None:
        """Whether it fits is known once it is loaded."""

    def is_called(self, name: str) -> bool:
        """Whether that is its whole name, or an alias."""
        return name in (self._model.name, *self._model.aliases)

    @property
    def spec(self) -> EngineSpec:
        """What the engine is asked to load. Raises InvalidInput for a path it cannot be told."""
        return EngineSpec(path_of(self._model.path), self._model.name, self._settings)

    def answer(
        self, request: AnswerRequest, cancel: CancelToken, *, approved: Outbound | None = None
    ) -> Iterator[Event]:
        """Events of the answer; see :class:`Target`."""
        started = time.perf_counter()
        meter = EnergyMeter()
        request, left_out = suited(request, self._model.name, ("chat",))
        if left_out is not None:
            yield left_out
        yield from self._check_form(request, cancel)
        asked = request
        request = self._completed(asked)
        is_instructed = (
            [turn.role for turn in asked.turns[:1]]
            != ["system"]
            == [turn.role for turn in request.turns[:1]]
        )
        if self._model.has_own_template:
            yield Notice("template_not_used", _OTHER_TEMPLATE)
        added = {"instructions": request.turns[0].content} if is_instructed else {}
        digest = self._hashes.of(self._model)
        loaded_s = first_s = 0.0
        is_hash_late = False
        try:
            for event in self._engines.answer(self._spec_for(request), request, cancel):
                passed_s = time.perf_counter() - started
                if not loaded_s and not isinstance(event, LoadProgress):
                    loaded_s = passed_s
                if not first_s and isinstance(event, Text | Reasoning):
                    first_s = passed_s
                if isinstance(event, Finished):
                    is_hash_late = not digest.done()
                    event = msgspec.structs.replace(  # noqa: PLW2901 - the same event, completed
                        event,
                        timing=_timing(event.timing, loaded_s, first_s, passed_s),
                        model_sha256=None if is_hash_late else digest.result(),
                        parameters={**event.parameters, **added},
                        energy_j=meter.used_j(),
                    )
                    self._note_use(event)
                yield event
        finally:
            if is_hash_late:  # by now the answer is kept
                self._hashes.tell_later(digest, request.message_id)

    def _check_form(self, request: AnswerRequest, cancel: CancelToken) -> Iterator[Notice]:
        """Raise InvalidInput for a form that cannot be followed, before anything is loaded."""
        if request.grammar is None and request.json_schema is None:
            return
        for name in self._forms.check(
            grammar=request.grammar,
            json_schema=request.json_schema,
            is_followed=True,
            cancel=cancel,
        ):
            yield Notice(
                "format_not_enforced",
                f"The schema's format “{name[:40]}” is not enforced. A “pattern” would be.",
            )

    def count_tokens(self, request: AnswerRequest) -> int:
        """Prompt tokens of the request. Loads the model if need be."""
        asked = self._completed(request)
        return self._engines.count_tokens(self._spec_for(asked), asked)

    def count_if_loaded(self, request: AnswerRequest) -> TokenCount | None:
        """Prompt tokens and the context there is; None where the model is not loaded."""
        asked = self._completed(request)
        return self._engines.count_if_loaded(self._spec_for(asked), asked)

    def _completed(self, request: AnswerRequest) -> AnswerRequest:
        """With what belongs to the model, and to the profile in use, where it is left open."""
        preset, profile = self._model.preset, self._profile
        if preset is not None and profile is not None and profile.system:
            preset = msgspec.structs.replace(preset, system="")
        return self._with_instructions(filled(with_preset(request, preset), profile))

    def _with_instructions(self, request: AnswerRequest) -> AnswerRequest:
        """The starter model answers far better than with its template's own instructions."""
        if not self._model.included or any(turn.role == "system" for turn in request.turns):
            return request
        return msgspec.structs.replace(
            request, turns=(Turn("system", _STARTER_INSTRUCTIONS), *request.turns)
        )

    def _spec_for(self, request: AnswerRequest) -> EngineSpec:
        settings, preset = self._settings, self._model.preset
        if preset is not None and preset.context_length and not settings.context_length:
            settings = msgspec.structs.replace(settings, context_length=preset.context_length)
        if request.context_length is not None:
            settings = msgspec.structs.replace(settings, context_length=request.context_length)
        if request.safer:
            settings = settings.safer()
        return msgspec.structs.replace(self.spec, settings=settings)

    def _note_use(self, end: Finished) -> None:
        """When it was used, and how fast it was, if it said enough to tell."""
        timing, usage = end.timing, end.usage
        measured = usage.completion_tokens >= _MEASURED_TOKENS
        self._models.note_use(
            self._model.path,
            timing.tokens_per_s if measured else 0.0,
            timing.prompt_tokens_per_s if measured else 0.0,
        )


def _timing(engine: Timing, loaded_s: float, first_s: float, total_s: float) -> Timing:
    """What the user waited for, where the engine knows only its own part."""
    return msgspec.structs.replace(
        engine,
        load_s=round(max(0.0, loaded_s), 4),
        first_token_s=round(first_s, 4),
        total_s=round(total_s, 4),
    )


@dataclass(eq=False, repr=False)
class LocalTargets:
    """The library's models by name: what chat and the command line ask."""

    _models: Models
    _engines: EnginePool
    _hashes: ModelHashes
    _settings: Callable[[], Settings]
    _forms: AnswerForms

    def get(self, name: str) -> LocalTarget:
        """By name, alias, hash prefix or path; "" is the default."""
        if not name:
            return self.default()
        return self._told(self._models.get(name))

    def default(self) -> LocalTarget:
        """The chosen model, or the first that can chat: the starter model comes first."""
        chosen = self._settings().default_target
        if chosen:
            return self._told(self._models.get(chosen))
        for model in self._usable():
            return self._target(model)
        raise NotFound(
            "There is no model on this machine yet.",
            hint="Import one: lockhouse models import FILE.gguf",
            code="no_model",
        )

    def list(self, installed: Sequence[ModelInfo] | None = None) -> list[TargetInfo]:
        """All that can answer, the default first; ``installed`` are the models where known."""
        found = [self._target(model).info for model in self._usable(installed)]
        chosen = self._settings().default_target
        if not chosen:
            return found  # the first one is the default
        try:
            first = self._models.get(chosen).name
        except LockhouseError:
            return found
        return sorted(found, key=lambda info: info.name != first)

    def _usable(self, installed: Sequence[ModelInfo] | None = None) -> Iterator[ModelInfo]:
        for model in self._models.list() if installed is None else installed:
            if "chat" in model.capabilities and model.state in _USABLE:
                yield model

    def _told(self, model: ModelInfo) -> LocalTarget:
        """The target, where an engine can be told where its file is."""
        target = self._target(model)
        _ = target.spec
        return target

    def _target(self, model: ModelInfo) -> LocalTarget:
        _require_chat(model)
        settings = self._settings()
        load = LoadSettings(
            context_length=settings.context_length,
            kv_type=settings.kv_type,
            threads=settings.threads,
            parallel=settings.parallel_answers,
        )
        profile = self._models.profile_in_force(model)
        if profile is not None:
            choice = msgspec.structs.asdict(profile.load)
            load = msgspec.structs.replace(load, **{k: v for k, v in choice.items() if v})
        return LocalTarget(
            model, self._models, self._engines, self._hashes, load, self._forms, profile
        )


def _require_chat(model: ModelInfo) -> None:
    """Raise InvalidInput for a model that was made for something else, and say for what."""
    if model.state == "unusable":
        raise InvalidInput(f"{model.name} cannot be used. {model.problem}", code="unusable")
    for capability, words in _CANNOT_CHAT.items():
        if capability in model.capabilities:
            raise InvalidInput(
                f"{model.name} {words}",
                hint="Choose a chat model: lockhouse targets list",
                code="not_a_chat_model",
            )


class LoadPlanner:
    """What an engine is started with: called by the pool before it starts one."""

    def __init__(
        self,
        checkup: EngineCheckup,
        starter: Path | None,
        machine: Callable[[], Machine] = machine_now,
    ) -> None:
        """``machine`` tells what is free now."""
        self._checkup = checkup
        self._starter = starter
        self._machine = machine

    def __call__(self, spec: EngineSpec) -> EngineSpec:
        """Check the file and choose what was left open.

        Raises InvalidInput for a file llama.cpp must not see, NoRoom when not even the smallest
        context fits, EngineCrashed when the engine does not work on this machine.
        """
        path = Path(spec.model_path)
        header = read_header(path)
        check_loadable(header)
        verdict = self._checkup.require(self._starter or path)
        settings = spec.settings
        if not _READS_WHOLE_TEXTS.isdisjoint(header.capabilities):
            settings = _for_texts(settings, header.context_length)
        shape, load, machine = Shape.of(header), LoadShape.of(settings), self._machine()
        choice = choose_context(shape, machine, load)
        context_length = settings.context_length or choice.context_length
        room = machine.memory_free_bytes - MARGIN_BYTES
        needed = estimate_memory(shape, context_length, load).total_bytes
        if needed > room:
            raise _no_room(needed, room, context_length, choice.largest_context)
        return msgspec.structs.replace(
            spec,
            memory_bytes=needed,
            settings=msgspec.structs.replace(
                spec.settings,  # as asked for: others who ask alike shall find this engine
                context_length=spec.settings.context_length or context_length,
                extra_buffers=settings.extra_buffers and verdict.extra_buffers,
            ),
        )


def _for_texts(settings: LoadSettings, trained: int) -> LoadSettings:
    """As an embedding model uses them: whole texts at once, in one batch of that length."""
    length = min(settings.context_length or LONGEST_TEXT_UNASKED, trained)
    return msgspec.structs.replace(settings, context_length=length, batch=length)


def _no_room(needed: int, room: int, context_length: int, largest: int) -> NoRoom:
    if largest >= SMALLEST_CONTEXT:
        hint = f"Choose a context length of at most {largest:,} tokens."
    else:
        hint = "Close other programs, or choose a smaller model."
    return NoRoom(
        f"This needs {needed / 1e9:.1f} GB of memory with a context of "
        f"{context_length:,} tokens, and {max(room, 0) / 1e9:.1f} GB are free.",
        hint=hint,
        code="out_of_memory",
    )
