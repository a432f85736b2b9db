"""Which process accepts the next client: one that has hardly more than the fewest.

All processes listen at one socket, and whoever is woken first would accept all that are waiting.
Where clients keep their connections, as balancers and televisions do, the others stay idle then.
"""

import mmap

PROCESSES = 64
_BYTES = 4
_ACCEPTS_NONE = 2**32 - 1
MORE = 8
"""One may have an eighth more than the fewest, but always one more: crowds are accepted quickly."""


class FairShares:
    """How many clients each process has, in memory that they share.

    It is made before the processes are: each inherits it. The master gives the places.
    """

    def __init__(self) -> None:
        # One more than each has; 0 is a place that nobody has.
        self._counts = memoryview(mmap.mmap(-1, PROCESSES * _BYTES)).cast("I")

    def join(self) -> int | None:
        """Give a new process its place, which does not count yet; None if there are too many."""
        for place in range(PROCESSES):
            if not self._counts[place]:
                self._counts[place] = _ACCEPTS_NONE
                return place
        return None

    def leave(self, place: int | None) -> None:
        """Give the place of a process that has ended to the next one."""
        if place is not None:
            self._counts[place] = 0

    def tell(self, place: int | None, clients: int) -> None:
        """Tell the others how many clients one has, which accepts more."""
        if place is not None:
            self._counts[place] = clients + 1

    def rest(self, place: int | None) -> None:
        """Tell the others that one accepts no more."""
        if place is not None:
            self._counts[place] = _ACCEPTS_NONE

    def may_accept(self, place: int | None) -> bool:
        """Tell whether nobody else has so few clients that the next one is theirs."""
        if place is None:
            return True
        fewest = min(filter(None, self._counts))
        return self._counts[place] <= fewest + max(1, fewest // MORE)
