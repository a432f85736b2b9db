"""What has been measured: of one run of wrk, and of a row of the table by all sides."""

import math
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

SERVICE, LIMIT = "service", "limit"


class Figures(NamedTuple):
    """What one run has measured.

    :ivar cpu_us: processor time of the workers and of PostgreSQL, microseconds a request.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int = 0
    errors: int = 0
    cpu_us: float = 0.0


class Times(NamedTuple):
    """How many times another side's figure one side's is.

    :ivar of_medians: by the medians of all rounds.
    :ivar least: of one round.
    :ivar most: of one round.
    """

    of_medians: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.of_medians:.2f} ({self.least:.2f}-{self.most:.2f})"


class Measured(NamedTuple):
    """A row of the table: the rounds of each side, which have taken turns.

    :ivar goal: the least that the service's requests a second should be, of the limit's.
    :ivar sides: ``service``, ``limit``, and the service under other servers, by their names.
    """

    database: str
    row: str
    goal: float | None
    connections: int
    sides: dict[str, list[Figures]]

    @property
    def servers(self) -> list[str]:
        """The other servers."""
        return [side for side in self.sides if side not in {SERVICE, LIMIT}]

    def median(self, side: str) -> Figures:
        """Return the medians of a side's rounds."""
        columns = zip(*self.sides[side], strict=True)
        return Figures(*(statistics.median(column) for column in columns))

    def errors(self, side: str) -> int:
        """Return how many answers of a side were no success."""
        return sum(one.errors for one in self.sides[side])

    def rate(self, one: str, other: str) -> Times:
        """Return how many times the other side's requests a second one side's are."""
        return self._times(one, other, lambda figures: figures.per_second)

    def cpu(self, one: str, other: str) -> Times:
        """Return how many times the other side's processor time a request one side's is."""
        return self._times(one, other, lambda figures: figures.cpu_us)

    def p99(self, one: str, other: str) -> Times:
        """Return how many times the other side's p99 one side's is."""
        return self._times(one, other, lambda figures: figures.p99_ms)

    def _times(self, one: str, other: str, figure: Callable[[Figures], float]) -> Times:
        pairs = zip(self.sides[one], self.sides[other], strict=True)
        rounds = [_times(figure(a), figure(b)) for a, b in pairs]
        medians = _times(figure(self.median(one)), figure(self.median(other)))
        return Times(medians, min(rounds), max(rounds))

    def to_json(self) -> dict[str, Any]:
        """Return it with all its rounds."""
        sides = {side: [one._asdict() for one in rounds] for side, rounds in self.sides.items()}
        return {**self._asdict(), "sides": sides}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Measured":
        """Return what ``to_json`` has written."""
        sides = {
            side: [Figures(**one) for one in rounds] for side, rounds in saved["sides"].items()
        }
        return cls(**{**saved, "sides": sides})


def _times(a: float, b: float) -> float:
    return a / b if b else math.inf
