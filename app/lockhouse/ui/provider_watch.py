"""Notices that a command changed providers, their models or consents.

Reads them from the database now and then, on a thread, and compares.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from lockhouse.core.errors import LockhouseError
from lockhouse.gate.consents import Consent, Consents
from lockhouse.gate.providers import Provider, Providers, RemoteModel
from lockhouse.ui.jobs import Jobs

_LOOK_EVERY_MS = 2000

_Known = tuple[tuple[Provider, ...], tuple[RemoteModel, ...], tuple[Consent, ...]]


class ProviderWatch(QObject):
    """Also notices what this window changed itself, which does no harm."""

    changed = Signal()

    def __init__(
        self,
        providers: Providers,
        consents: Consents,
        jobs: Jobs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._providers = providers
        self._consents = consents
        self._jobs = jobs
        self._known: _Known | None = None
        self._looking = False
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)

    def start(self) -> None:
        """Begin to read."""
        self.look()
        self._timer.start()

    def look(self) -> None:
        """Read now, unless it is being read."""
        if not self._looking:
            self._looking = True
            self._jobs.run(self._read, self._compare, self._not_read)

    def _read(self) -> _Known:
        its = self._providers
        return tuple(its.list()), tuple(its.chosen()), tuple(self._consents.list())

    def _compare(self, found: _Known) -> None:
        self._looking = False
        before, self._known = self._known, found
        if before is not None and before != found:
            self.changed.emit()

    def _not_read(self, _error: LockhouseError) -> None:
        self._looking = False  # whoever shows them says what is wrong; the next time may succeed
