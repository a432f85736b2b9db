"""Languages: money, the choice of a language, and a German text for everything that pages say."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from jay import i18n
from jay.web.pages import initial

ROOT = Path(__file__).parents[2]
TRANSLATIONS = sorted((ROOT / "jay" / "translations").glob("*.po"))
PLACEHOLDER = re.compile(r"%\((\w+)\)(\w)")
NBSP = "\u00a0"


# --- times


@pytest.mark.parametrize(
    ("month", "country", "lang", "text"),
    [
        (6, "DE", "de", "04.06.2025, 14:00 MESZ"),
        (11, "DE", "de", "04.11.2025, 13:00 MEZ"),
        (6, "GB", "en", "4 Jun 2025, 13:00 BST"),
        (6, "DE", "en", "4 Jun 2025, 14:00 CEST"),
        (6, "IN", "de", "04.06.2025, 17:30 GMT+05:30"),
        # Its clocks show several times: nobody knows which one is meant.
        (6, "US", "en", "4 Jun 2025, 12:00 UTC"),
        (6, None, "de", "04.06.2025, 12:00 UTC"),
        (6, "QQ", "de", "04.06.2025, 12:00 UTC"),
    ],
)
def test_a_time_is_that_of_the_country(
    month: int, country: str | None, lang: str, text: str
) -> None:
    moment = datetime(2025, month, 4, 12, tzinfo=UTC)

    assert i18n.minute(moment, lang, country) == text


def test_each_language_has_a_country_whose_clocks_it_is_read_by() -> None:
    assert {code: i18n.home(code) for code, _name in i18n.languages()} == {"de": "DE", "en": "GB"}


# --- money


@pytest.mark.parametrize(
    ("amount", "currency", "lang", "text"),
    [
        (2799, "EUR", "de", f"27,99{NBSP}€"),
        (2799, "EUR", "en", "€27.99"),
        (2399, "GBP", "en", "£23.99"),
        (2399, "GBP", "de", f"23,99{NBSP}£"),
        (14199, "EUR", "de", f"141,99{NBSP}€"),
        (123456789, "EUR", "de", f"1.234.567,89{NBSP}€"),
        (123456789, "EUR", "en", "€1,234,567.89"),
        (0, "EUR", "de", f"0,00{NBSP}€"),
        (5, "EUR", "en", "€0.05"),
        (1250, "JPY", "de", f"1.250{NBSP}¥"),
        (1250, "JPY", "en", "¥1,250"),
        (1250, "KWD", "de", f"1,250{NBSP}KWD"),
        (123450, "RSD", "de", f"1.234,50{NBSP}RSD"),
        (1250, "IQD", "de", f"1,250{NBSP}IQD"),
        (1250, "BGN", "de", f"12,50{NBSP}BGN"),
    ],
)
def test_amounts_in_minor_units_are_written_as_people_read_them(
    amount: int, currency: str, lang: str, text: str
) -> None:
    assert i18n.money(amount, currency, lang) == text


def test_a_large_amount_loses_no_cent() -> None:
    assert i18n.money(2**53 + 1, "EUR", "en") == "€90,071,992,547,409.93"


# Of ISO 4217, list one; CLDR has none for the first four.
@pytest.mark.parametrize(
    ("currency", "digits"),
    [("RSD", 2), ("IQD", 3), ("ALL", 2), ("LBP", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3)],
)
def test_minor_units_are_those_of_iso_4217(currency: str, digits: int) -> None:
    assert i18n.minor_digits(currency) == digits


@pytest.mark.parametrize("code", ["DEM", "HRK", "BGN", "XAU", "XXX", "XTS", "CLF", "CHE", "UYW"])
def test_what_no_shop_can_ask_for_is_no_currency(code: str) -> None:
    assert code not in i18n.CURRENCIES


# --- the choice of a language


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (["de"], "de"),
        (["de-AT"], "de"),
        (["DE"], "de"),
        (["en-GB", "de"], "en"),
        (["fr", "de", "en"], "de"),
        (["fr"], "en"),
        ([], "en"),
        (["*"], "en"),
        (["../../etc/passwd"], "en"),
    ],
)
def test_the_first_wanted_language_that_is_spoken_is_chosen(wanted: list[str], chosen: str) -> None:
    assert i18n.choose(wanted) == chosen


@pytest.mark.parametrize(
    ("wanted", "refused", "chosen"),
    [
        (["en", "de"], ["en"], "de"),
        (["fr"], ["en"], "de"),
        ([], ["EN"], "de"),
        (["de"], ["fr"], "de"),
        (["fr"], ["de", "en"], "en"),
    ],
)
def test_a_refused_language_is_not_chosen(
    wanted: list[str], refused: list[str], chosen: str
) -> None:
    assert i18n.choose(wanted, refused=refused) == chosen


def test_the_languages_name_themselves() -> None:
    assert i18n.languages() == (("de", "Deutsch"), ("en", "English"))


def test_the_source_language_needs_no_file() -> None:
    assert i18n.texts("en").gettext("Your basket") == "Your basket"


def test_german_is_read_as_it_is_without_compiling() -> None:
    texts = i18n.texts("de")

    assert texts.gettext("Your basket") == "Dein Warenkorb"
    assert texts.ngettext("%(num)s piece", "%(num)s pieces", 2) == "%(num)s Stück"


# --- every text has a translation

Key = str | tuple[str, str]


def extracted() -> Iterator[tuple[str, Key]]:
    """Yield where a text is used, and the text; with its plural where it has one."""
    for folder, methods in (
        ("jay", [("**.py", "python")]),
        (
            "templates",
            [("**.html", "jinja2.ext:babel_extract"), ("**.txt", "jinja2.ext:babel_extract")],
        ),
    ):
        # Not silent: a template that can't be read must not count as one without texts.
        found = extract_from_dir(
            str(ROOT / folder),
            method_map=methods,
            options_map={"**.html": {"silent": "false"}, "**.txt": {"silent": "false"}},
            keywords=DEFAULT_KEYWORDS,
        )
        for name, line, message, _comments, _context in found:
            key = message if isinstance(message, str) else tuple(message)
            yield f"{folder}/{name}:{line}", key


@pytest.fixture(scope="module")
def used() -> dict[Key, str]:
    """All texts of pages, and a place where each is used."""
    return {key: place for place, key in extracted()}


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem, abort_invalid=True)


def messages(path: Path) -> list[Message]:
    return [message for message in catalogue(path) if message.id]


def test_texts_are_found_in_templates_in_pages_and_in_lists(used: dict[Key, str]) -> None:
    assert used["Your basket"].startswith("templates/")
    assert "This was removed on another device." in used  # _()
    assert "a fox" in used  # N_()
    assert ("%(num)s piece", "%(num)s pieces") in used  # ngettext()
    assert len(used) > 150


def test_german_is_one_of_the_translations() -> None:
    assert "de" in [path.stem for path in TRANSLATIONS]


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_every_text_is_translated(path: Path, used: dict[Key, str]) -> None:
    translated = {message.id: message.string for message in messages(path) if not message.fuzzy}

    missing = {
        key: place
        for key, place in used.items()
        if key not in translated
        or not all([translated[key]] if isinstance(translated[key], str) else translated[key])
    }
    assert missing == {}


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_no_translation_is_unused(path: Path, used: dict[Key, str]) -> None:
    assert [message.id for message in messages(path) if message.id not in used] == []
    assert catalogue(path).obsolete == {}


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_no_translation_is_fuzzy(path: Path) -> None:
    assert [message.id for message in messages(path) if message.fuzzy] == []
    assert not catalogue(path).fuzzy


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_translations_have_the_placeholders_of_their_text(path: Path) -> None:
    different = [
        (original, translation)
        for message in messages(path)
        for original, translation in zip(
            (message.id,) if isinstance(message.id, str) else message.id,
            (message.string,) if isinstance(message.string, str) else message.string,
            strict=True,
        )
        if sorted(PLACEHOLDER.findall(original)) != sorted(PLACEHOLDER.findall(translation))
    ]
    assert different == []


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_a_lone_percent_sign_would_break_a_text(path: Path) -> None:
    texts = [
        text
        for message in messages(path)
        for text in ((message.string,) if isinstance(message.string, str) else message.string)
    ]

    assert [text for text in texts if "%" in PLACEHOLDER.sub("", text)] == []


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_headlines_break_into_as_many_lines_as_in_english(path: Path) -> None:
    different = [
        message.id
        for message in messages(path)
        if isinstance(message.id, str) and message.id.count("\n") != message.string.count("\n")
    ]
    assert different == []


def test_the_german_texts_say_du() -> None:
    formal = re.compile(r"\b(Sie|Ihr|Ihre|Ihren|Ihrem|Ihnen)\b")
    path = ROOT / "jay" / "translations" / "de.po"

    assert [
        message.string for message in messages(path) if formal.search(str(message.string))
    ] == []


# --- names in other scripts


def test_a_foreign_name_keeps_to_itself_in_a_sentence() -> None:
    assert i18n.isolated("Mug") == "Mug"
    assert i18n.isolated("ספל 3") == "\u2068ספל 3\u2069"  # noqa: RUF001
    assert i18n.isolated("\u202eMug\u2069") == "Mug"


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("mug", "M"),
        ("e\u0301clair", "E\u0301"),
        ("हिन्दी", "हि"),
        ("\N{WOMAN}\u200d\N{PERSONAL COMPUTER} set", "S"),
        ("\N{WOMAN}\u200d\N{PERSONAL COMPUTER}", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}"),
        ("\u202e«שלום»", "ש"),
        (" ", "?"),
    ],
)
def test_a_placeholder_shows_the_first_letter_whole(name: str, letter: str) -> None:
    assert initial(name) == letter
