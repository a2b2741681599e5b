"""What to offer when a model or a prompt does not fit: a smaller choice that does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
from PySide6.QtWidgets import QWidget

from lockhouse.answer.local import LocalTargets
from lockhouse.chat.conversations import Conversations
from lockhouse.library.gguf.header import read_header
from lockhouse.library.gguf.memory import LoadShape, largest_context
from lockhouse.ui.chat.values import AnswerEnded
from lockhouse.ui.error_views import ChoiceDialog
from lockhouse.ui.jobs import Jobs, ignore
from lockhouse.ui.settings.store import SettingsStore
from lockhouse.ui.theme import Theme

_MARGIN_BYTES = 512 << 20
_SMALLEST_CONTEXT = 512


_TITLES = {
    "out_of_memory": "This does not fit into memory",
    "context_too_large": "This does not fit into memory",
    "prompt_too_long": "This is longer than the context length",
}


def largest_choice(path: Path, kv_type: str) -> int:
    """The largest context of this model for which there is memory now; 0 for none of use."""
    header = read_header(path)
    room = psutil.virtual_memory().available - _MARGIN_BYTES
    most = largest_context(header, room, LoadShape(kv_type=kv_type)) // 256 * 256
    return most if most >= _SMALLEST_CONTEXT else 0


class NoRoomHelp:
    """Finds what would fit, offers it in a dialog and applies what is chosen."""

    def __init__(
        self,
        targets: LocalTargets,
        conversations: Conversations,
        settings: SettingsStore,
        jobs: Jobs,
        theme: Theme,
        *,
        show_models: Callable[[], None],
    ) -> None:
        self._targets = targets
        self._conversations = conversations
        self._settings = settings
        self._jobs = jobs
        self._theme = theme
        self._show_models = show_models

    def offer(self, ended: AnswerEnded, over: QWidget, *, again: Callable[[], None]) -> None:
        """Show the dialog for this failure; ``again`` asks once more after the choice."""
        kv_type = self._settings.current.kv_type

        def work() -> int:
            spec = self._targets.get(ended.target).spec
            return largest_choice(Path(spec.model_path), kv_type)

        def show(context_length: int) -> None:
            self._show(ended, context_length, over, again)

        self._jobs.run(work, show, lambda _error: show(0))

    def _show(
        self, ended: AnswerEnded, context_length: int, over: QWidget, again: Callable[[], None]
    ) -> None:
        failed = ended.failed
        assert failed is not None
        choices: list[tuple[str, str]] = []
        words = f"Use a context of {context_length:,} tokens in this chat"
        if failed.code == "prompt_too_long":
            if failed.can_be_cut:
                choices.append(("cut", "Leave out the oldest messages of this chat"))
            if context_length > failed.needed_tokens:
                choices.append(("context", words))
        elif failed.code in _TITLES and context_length:
            choices.append(("context", words))
        if not choices or failed.code != "prompt_too_long":
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
        dialog.chosen.connect(lambda key: self._do(key, ended, context_length, again))
        dialog.show_once()

    def _do(
        self, key: str, ended: AnswerEnded, context_length: int, again: Callable[[], None]
    ) -> None:
        """For that chat alone: other chats and models are to go on as they were set."""
        if key == "models":
            self._show_models()
            return
        value = {"when_full": "cut_oldest"} if key == "cut" else {"context_length": context_length}

        def work() -> None:
            kept = self._conversations
            parameters = kept.get(ended.conversation_id).parameters
            kept.set_parameters(ended.conversation_id, {**parameters, **value})

        # After it is stored: the target reads it when it is asked.
        self._jobs.run_in_order(work, lambda _: again(), ignore)
