"""The tables of several runs of the benchmark."""

import json
from pathlib import Path

from joserfc.jwk import ECKey

from tests.load import days
from tests.load.days import Saving, ratios, read, servers
from tests.load.figures import Figures, Measured
from tests.load.rows import rows_of
from tests.load.seeding import PRODUCTS, Seeded

KEY = ECKey.generate_key("P-256")


def _measured(row: str, rates: list[float], connections: int = 16) -> Measured:
    def rounds(*per_second: float, errors: int = 0) -> list[Figures]:
        return [Figures(one, 4.0, 8.0, 100, errors, 1e6 / one) for one in per_second]

    sides = {
        "service": rounds(*rates),
        "limit": rounds(100, 100, 100),
        "granian": rounds(150, 120, 180, errors=1),
    }
    return Measured("sqlite", row, 0.75, connections, sides)


def _saved(file: Path, *found: Measured, day: str) -> Path:
    saving = Saving(file)
    saving.begin(200.0, 3, 5)
    for measured in found:
        saving.add(measured)
    saving.end(210.0)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["began"] = f"2026-{day}T12:00:00+00:00"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_the_ratios_of_two_days_stand_beside_each_other(tmp_path: Path) -> None:
    found = [
        read(_saved(tmp_path / day, one, day=day))
        for day, one in (
            ("11-26", _measured("GET basket", [90, 80, 100])),
            ("11-27", _measured("GET basket", [70, 75, 85])),
        )
    ]
    head, rule, row = (line for text in ratios(found) for line in text.strip().splitlines())
    assert [cell.strip() for cell in head.split("|")[4:6]] == ["16: 26 Nov", "16: 27 Nov"]
    assert "| 0.75 | 0.90 (0.80-1.00) | 0.75 (0.70-0.85) | 1.0, 1.0 |" in row
    assert len({text.count("|") for text in (head, rule, row)}) == 1


def test_of_a_row_that_was_measured_again_the_last_one_holds(tmp_path: Path) -> None:
    first, again = _measured("TV poll", [50] * 3), _measured("TV poll", [95] * 3)
    day = read(_saved(tmp_path / "day", first, again, day="11-27"))
    assert "| 0.95 (0.95-0.95) |" in list(ratios([day]))[-1]


def test_other_servers_are_told_in_times_of_ours_with_their_errors(tmp_path: Path) -> None:
    one = _measured("GET basket", [100, 100, 100])
    alone = one._replace(sides={side: one.sides[side] for side in ("service", "limit")})
    day = read(_saved(tmp_path / "day", one, alone, day="11-27"))
    _head, _rule, row = servers(day)
    assert row.endswith("| 100 | 4.0, 8.0 | 1.50 (1.20-1.80) | 4.0, 8.0 | 0.67 | 3 |")


def test_every_row_has_a_name_for_people() -> None:
    ids = [f"product-{number}" for number in range(PRODUCTS)]
    seeded = Seeded("sqlite://", 1, "", "", {"user-0": ""}, ids, KEY)
    assert [row.name for row in rows_of(seeded, "")] == list(days.ROWS)
