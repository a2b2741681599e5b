"""Who uses an engine, and when it is to end: when it is told to, or unused for long enough.

A client is busy until its answer is over. Afterwards it may stay connected, which keeps the model
loaded. Hides the counting, and that nobody comes in any more once the end is decided.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from lockhouse.core.errors import EngineCrashed


class Client:
    """One that uses the engine."""

    def __init__(self, occupancy: Occupancy) -> None:
        self._occupancy = occupancy
        self._is_busy = True

    def done(self) -> None:
        """Its answer is over; from now on it only keeps the model loaded. Call as often as
        you like, from any thread."""
        with self._occupancy.changed:
            if self._is_busy:
                self._is_busy = False
                self._occupancy.busy -= 1
                self._occupancy.changed.notify_all()


class Occupancy:
    """The clients of one engine. Usable from any thread."""

    def __init__(self, *, idle_limit_s: float, first_client_s: float) -> None:
        """``first_client_s``: how long to wait at least for whoever started the engine."""
        self.changed = threading.Condition()
        self.clients = 0
        self.busy = 0
        self._idle_limit_s = idle_limit_s
        self._allowed_s = max(idle_limit_s, first_client_s)
        self._quiet_since = time.monotonic()
        self._had_clients = False
        self._retiring = False
        self._stopped = False

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """Count as a client. Raises EngineCrashed "engine_retired" when the engine is ending."""
        client = Client(self)
        with self.changed:
            if self._retiring or self._stopped:
                raise EngineCrashed("The engine is ending.", code="engine_retired")
            self.clients += 1
            self.busy += 1
            self._had_clients = True
            self._allowed_s = self._idle_limit_s
        try:
            yield client
        finally:
            client.done()
            with self.changed:
                self.clients -= 1
                self._quiet_since = time.monotonic()
                self.changed.notify_all()

    @property
    def idle_s(self) -> float:
        """Seconds since the last client left; 0 while there is one."""
        with self.changed:
            return 0.0 if self.clients else time.monotonic() - self._quiet_since

    def retire(self) -> None:
        """Let no new clients in, and end when nobody is busy."""
        with self.changed:
            self._retiring = True
            self.changed.notify_all()

    def stop(self) -> None:
        """End now, whoever is busy."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()

    @property
    def is_ending(self) -> bool:
        """Whether new clients are turned away."""
        return self._retiring or self._stopped

    @property
    def is_over(self) -> bool:
        """Whether it is to end now: nobody who is busy has to be waited for."""
        return self._stopped or (self._retiring and not self.busy)

    def wait_for_end(self) -> None:
        """Until the engine is to end. Nobody is let in afterwards."""
        with self.changed:
            while not self.is_over:
                if self._retiring or self.clients:
                    self.changed.wait()
                    continue
                left_s = self._allowed_s - (time.monotonic() - self._quiet_since)
                if left_s <= 0:
                    self._retiring = True
                else:
                    self.changed.wait(left_s)

    def wait_until_told(self, limit_s: float) -> None:
        """Until whoever came has got an answer, and at least somebody came."""
        with self.changed:
            self.changed.wait_for(lambda: self._had_clients and not self.busy, limit_s)
