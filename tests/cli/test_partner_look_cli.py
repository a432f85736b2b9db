"""``flask partner add`` and ``flask partner change``: colour and logo."""

import io
from collections.abc import Callable
from pathlib import Path

import alembic.command
import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import text

from jay import db
from jay.ops.cli import alembic_config
from jay.partners import service as partners
from jay.partners.models import Partner
from tests.cli.conftest import Run, runner_of

Written = Callable[[str, object], str]


def stored(app: Flask, name: str = "kino") -> Partner:
    with app.app_context(), db.reading() as connection:
        partner = partners.partner_by_name(connection, name)
    assert partner is not None
    return partner


def logo_of(app: Flask) -> bytes | None:
    with app.app_context(), db.reading() as connection:
        return partners.logo_of(connection, stored(app))


@pytest.fixture
def logo(written: Written) -> str:
    """A picture of 800 x 200 pixels."""
    content = io.BytesIO()
    Image.new("RGB", (800, 200), "navy").save(content, "PNG")
    return written("logo.png", content.getvalue())


def test_a_partner_is_added_with_colour_and_logo(app: Flask, run: Run, logo: str) -> None:
    result = run("partner", "add", "kino", "--colour", "#3A57E8", "--logo", logo)

    assert result.exit_code == 0, result.output
    partner = stored(app)
    assert partner.colour == "#3a57e8"
    assert partner.palette is not None
    assert (partner.palette.accent, partner.palette.text) == ("#3a57e8", "#ffffff")
    assert partner.logo is not None
    assert (partner.logo["width"], partner.logo["height"]) == (512, 128)
    assert (logo_of(app) or b"").startswith(b"\x89PNG")
    assert "hard to read" not in result.stderr


def test_a_partner_without_a_look_has_none(app: Flask, run: Run) -> None:
    run("partner", "add", "kino")

    partner = stored(app)
    assert (partner.colour, partner.palette, partner.logo, logo_of(app)) == (None,) * 4


@pytest.mark.parametrize("words", [("add",), ("change",)])
def test_a_corrected_colour_is_told_and_the_given_one_kept(
    app: Flask, run: Run, words: tuple[str, ...]
) -> None:
    if words == ("change",):
        run("partner", "add", "kino")

    result = run("partner", *words, "kino", "--colour", "#777777")

    partner = stored(app)
    assert partner.palette is not None
    assert partner.colour == "#777777"
    assert partner.palette.accent != "#777777"
    assert f"buttons are {partner.palette.accent}" in result.stderr


@pytest.mark.parametrize("colour", ["red", "#fff", "3a57e8", "#3a57e8;}", ""])
def test_what_is_no_colour_is_refused(run: Run, colour: str) -> None:
    result = run("partner", "add", "kino", "--colour", colour)

    assert result.exit_code == 2
    assert "'#RRGGBB'" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "can carry script"),
        ("logo.png", b"no picture", "no PNG, JPEG or WebP"),
        ("logo.png", b"\0" * (1024 * 1024 + 1), "larger than 1 MiB"),
    ],
)
def test_what_is_no_logo_is_refused(
    run: Run, written: Written, name: str, content: bytes, reason: str
) -> None:
    result = run("partner", "add", "kino", "--logo", written(name, content))

    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_a_missing_file_is_refused(run: Run, tmp_path: Path) -> None:
    assert run("partner", "add", "kino", "--logo", str(tmp_path / "no.png")).exit_code == 2


def test_what_is_not_given_stays_as_it_is(app: Flask, run: Run, logo: str) -> None:
    run("partner", "add", "kino", "--display-name", "Kino", "--colour", "#3a57e8", "--logo", logo)
    before = stored(app)

    assert run("partner", "change", "kino", "--display-name", "Kino Nord").exit_code == 0
    assert stored(app).display_name == "Kino Nord"
    assert (stored(app).palette, stored(app).logo) == (before.palette, before.logo)

    assert run("partner", "change", "kino", "--colour", "#007a3d").exit_code == 0
    assert (stored(app).display_name, stored(app).colour) == ("Kino Nord", "#007a3d")
    assert logo_of(app) is not None


def test_colour_and_logo_can_be_taken_away(app: Flask, run: Run, logo: str) -> None:
    run("partner", "add", "kino", "--colour", "#3a57e8", "--logo", logo)

    assert run("partner", "change", "kino", "--no-logo").exit_code == 0
    assert (stored(app).logo, logo_of(app)) == (None, None)
    assert stored(app).colour == "#3a57e8"

    assert run("partner", "change", "kino", "--no-colour").exit_code == 0
    assert (stored(app).colour, stored(app).palette) == (None, None)


def test_changing_nothing_or_both_ways_is_an_error(run: Run, logo: str) -> None:
    run("partner", "add", "kino")

    for words in ((), ("--logo", logo, "--no-logo"), ("--colour", "#3a57e8", "--no-colour")):
        assert run("partner", "change", "kino", *words).exit_code == 2


def test_an_unknown_partner_cannot_be_changed(run: Run) -> None:
    result = run("partner", "change", "kino", "--no-logo")

    assert result.exit_code == 1
    assert "There is no partner 'kino'." in result.stderr


def test_a_database_from_before_keeps_its_partners(
    empty_app: Flask, empty_database_url: str
) -> None:
    run = runner_of(empty_app)
    run("db", "upgrade", "0001")
    with empty_app.app_context(), db.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO partners (name, display_name, algorithms, transfer_origins,"
                " cors_origins, created) VALUES ('kino', 'Kino Nord', '[]',"
                " '[\"https://shop.example\"]', '[]', '2025-06-04 12:00:00+00:00')"
            )
        )
        connection.execute(
            text("INSERT INTO api_keys (prefix, key_hash, partner_id, created)"
                 " SELECT 'jay_abc', 'x', id, created FROM partners")
        )  # fmt: skip

    assert run("db", "upgrade").exit_code == 0
    partner = stored(empty_app)
    assert (partner.display_name, partner.transfer_origins) == (
        "Kino Nord",
        ("https://shop.example",),
    )
    assert (partner.colour, partner.palette, partner.logo) == (None, None, None)
    run("partner", "change", "kino", "--colour", "#3a57e8")
    alembic.command.downgrade(alembic_config(empty_database_url), "0001")

    with empty_app.app_context(), db.reading() as connection:
        assert connection.execute(text("SELECT display_name FROM partners")).scalar() == "Kino Nord"
        assert connection.execute(text("SELECT prefix FROM api_keys")).scalar() == "jay_abc"
