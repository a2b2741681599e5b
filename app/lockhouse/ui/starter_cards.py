"""The models offered on the first screen, and the memory the starter model needs."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from lockhouse.library.model_info import OWN
from lockhouse.ui.chat.first_start import ModelCard
from lockhouse.ui.models.controller import InstalledModels
from lockhouse.ui.models.memory import MemoryController, MemoryNeed, MemoryQuestion
from lockhouse.ui.settings.store import SettingsStore


class StarterCards(QObject):
    """Updates with the library; the memory of the starter model is computed once."""

    made = Signal(object, object)  # ModelCard | None, tuple[ModelCard, ...]

    def __init__(
        self, memory: MemoryController, settings: SettingsStore, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._memory = memory
        self._settings = settings
        self._installed = InstalledModels()
        self._need: MemoryNeed | None = None
        memory.measured.connect(self._take_need)

    def show_installed(self, installed: InstalledModels) -> None:
        """What is in the library now."""
        self._installed = installed
        self._tell()
        starter = next((model for model in installed.models if model.included), None)
        if starter is not None and self._need is None:
            context = self._settings.current.context_length
            self._memory.estimate(MemoryQuestion(starter, context))

    def _take_need(self, need: MemoryNeed) -> None:
        starter = next((model for model in self._installed.models if model.included), None)
        if self._need is None and starter is not None and need.name == starter.name:
            self._need = need
            self._tell()

    def _tell(self) -> None:
        cards: list[ModelCard] = []
        chat = {target.name for target in self._installed.targets}
        for model in self._installed.models:
            need = self._need if self._need and self._need.name == model.name else None
            if model.name in chat:
                cards.append(
                    ModelCard(
                        model.name,
                        model.title or model.name,
                        f"{model.quality}, {model.quantization}",
                        model.size_bytes,
                        need.total_bytes if need else 0,
                        included=model.included,
                        fit=model.fit or "",
                        owner="" if model.owner in (OWN, "user") else model.owner,
                    )
                )
        starter = next((card for card in cards if card.included), None)
        self.made.emit(starter, tuple(card for card in cards if card is not starter))
