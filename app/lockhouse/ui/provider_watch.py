"""Notices that a command changed providers, their models or consents.

Reads them from the database now and then, on a thread, and compares.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from lockhouse.gate.consents import Consent, Consents
from lockhouse.gate.providers import Provider, Providers, RemoteModel
from lockhouse.ui.jobs import Jobs
from lockhouse.ui.timers import Poll

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
        self._known: _Known | None = None
        # Whoever shows them says what is wrong; the next time may succeed.
        poll = Poll(jobs, self._read, self._compare, every_ms=_LOOK_EVERY_MS, parent=self)
        self.start = poll.start

    def _read(self) -> _Known:
        its = self._providers
        return tuple(its.list()), tuple(its.chosen()), tuple(self._consents.list())

    def _compare(self, found: _Known) -> None:
        before, self._known = self._known, found
        if before is not None and before != found:
            self.changed.emit()
