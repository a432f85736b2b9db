"""Which process accepts the next client: the one that has the fewest.

All processes listen at one socket, and whoever is woken first would accept all that are waiting.
Where clients keep their connections, as balancers and televisions do, the others stay idle then.
"""

import mmap

PROCESSES = 64
_BYTES = 4


class FairShares:
    """How many clients each process has, in memory that they share.

    It is made before the processes are: each inherits it.
    """

    def __init__(self) -> None:
        # One more than each has; 0 is a place that nobody has.
        self._counts = memoryview(mmap.mmap(-1, PROCESSES * _BYTES)).cast("I")

    def join(self) -> int | None:
        """Give a new process its place; None if there are too many to count."""
        for place in range(PROCESSES):
            if not self._counts[place]:
                self._counts[place] = 1
                return place
        return None

    def leave(self, place: int | None) -> None:
        """Give the place of a process that has ended to the next one."""
        if place is not None:
            self._counts[place] = 0

    def tell(self, place: int | None, clients: int) -> None:
        """Tell the others how many clients one has."""
        if place is not None:
            self._counts[place] = clients + 1

    def is_least(self, place: int | None) -> bool:
        """Tell whether nobody has fewer clients."""
        if place is None:
            return True
        mine = self._counts[place]
        return all(count >= mine for count in self._counts if count)
