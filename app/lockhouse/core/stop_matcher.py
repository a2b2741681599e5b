"""Stop strings: where an answer ends, however its text is cut into pieces."""

from __future__ import annotations


class StopMatcher:
    """Cuts a stream at the first stop string, holding back what could become one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.met = False

    def feed(self, piece: str) -> tuple[str, bool]:
        """(text that is safe to show, whether a stop string was met)."""
        if not self._stops:
            return piece, False
        self._held += piece
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            ready, self._held = self._held[: min(found)], ""
            self.met = True
            return ready, True
        keep = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._held)), keep, -1):
                if stop.startswith(self._held[-length:]):
                    keep = length
                    break
        cut = len(self._held) - keep
        ready, self._held = self._held[:cut], self._held[cut:]
        return ready, False

    def finish(self) -> str:
        """What was held back, when nothing more comes."""
        ready, self._held = self._held, ""
        return ready
