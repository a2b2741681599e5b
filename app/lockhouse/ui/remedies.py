"""What to offer when a model or a prompt does not fit: a smaller choice that does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from PySide6.QtWidgets import QWidget

from lockhouse.answer.local import LocalTargets
from lockhouse.core.events import Failed
from lockhouse.library.gguf.header import read_header
from lockhouse.library.gguf.memory import LoadShape, largest_context
from lockhouse.ui.error_views import ChoiceDialog
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme

_MARGIN_BYTES = 512 << 20
_SMALLEST_CONTEXT = 512
_USUAL_CONTEXT = 8192


@dataclass(frozen=True, slots=True)
class SmallerChoice:
    """The largest context that would fit; 0 when none does."""

    context_length: int
    halved_cache: bool = False


_TITLES = {
    "out_of_memory": "This does not fit into memory",
    "context_too_large": "This does not fit into memory",
    "prompt_too_long": "This is longer than the context length",
}


def smaller_choice(path: Path, kv_type: str) -> SmallerChoice:
    """The largest context of this model for which there is memory now."""
    header = read_header(path)
    room = psutil.virtual_memory().available - _MARGIN_BYTES
    most = largest_context(header, room, LoadShape(kv_type=kv_type)) // 256 * 256
    if most < _SMALLEST_CONTEXT and kv_type == "f16":
        halved = largest_context(header, room, LoadShape(kv_type="q8_0")) // 256 * 256
        if halved >= _SMALLEST_CONTEXT:
            return SmallerChoice(halved, halved_cache=True)
    return SmallerChoice(most if most >= _SMALLEST_CONTEXT else 0)


class NoRoomHelp:
    """Finds what would fit, offers it in a dialog and applies what is chosen."""

    def __init__(
        self,
        targets: LocalTargets,
        settings: SettingsStore,
        jobs: Jobs,
        theme: Theme,
        *,
        show_models: Callable[[], None],
    ) -> None:
        self._targets = targets
        self._settings = settings
        self._jobs = jobs
        self._theme = theme
        self._show_models = show_models

    def offer(
        self, failed: Failed, target: str, over: QWidget, *, again: Callable[[], None]
    ) -> None:
        """Show the dialog for this failure; ``again`` asks once more after the choice."""
        kv_type = self._settings.current.kv_type

        def work() -> SmallerChoice:
            spec = self._targets.get(target).spec
            return smaller_choice(Path(spec.model_path), kv_type)

        def fallback(_error: object) -> None:
            self._show(failed, SmallerChoice(0), over, again)

        self._jobs.run(work, lambda choice: self._show(failed, choice, over, again), fallback)

    def _show(
        self, failed: Failed, choice: SmallerChoice, over: QWidget, again: Callable[[], None]
    ) -> None:
        choices: list[tuple[str, str]] = []
        words = f"Use a context of {choice.context_length:,} tokens"
        if failed.code == "prompt_too_long":
            choices.append(("cut", "Leave out the oldest messages"))
            if choice.context_length > (self._settings.current.context_length or _USUAL_CONTEXT):
                choices.append(("context", words))
        elif failed.code in _TITLES:
            if choice.context_length:
                choices.append(("context", words))
            choices.append(("models", "Choose another model"))
        dialog = ChoiceDialog(
            self._theme,
            _TITLES.get(failed.code, "Not enough memory"),
            failed.message,
            hint=failed.hint,
            choices=choices,
            details=failed.details,
            close_words="Not now",
            parent=over,
        )
        dialog.chosen.connect(lambda key: self._do(key, choice, again))
        dialog.show_once()

    def _do(self, key: str, choice: SmallerChoice, again: Callable[[], None]) -> None:
        if key == "models":
            self._show_models()
            return
        if key == "cut":
            self._settings.set("when_full", "cut_oldest")
        else:
            if choice.halved_cache:
                self._settings.set("kv_type", "q8_0")
            self._settings.set("context_length", choice.context_length)
        # After the setting is stored: the target reads it when it is asked.
        self._jobs.run_in_order(lambda: None, lambda _: again(), ignore)
