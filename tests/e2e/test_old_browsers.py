"""TVs keep the browser that they were made with: HbbTV 2.0 knows ECMAScript 5 and little CSS.

What these tests are: a parser for ECMAScript 5, and a filter of words for what is newer than those
browsers. No old browser runs here. A phone's style sheet may be newer, but where a value is not
understood by all, a line that is stands before it.
"""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.actors import http_client
from tests.e2e.states import STATES, State
from tests.e2e.tour import Tour, every_page
from tests.servers import ROOT

PARSE = """
var text = require('fs').readFileSync(0, 'utf8');
try { require('acorn').parse(text, {ecmaVersion: 5, sourceType: 'script'}); }
catch (error) { console.log(error.message); }
"""
# What ECMAScript 5 can parse, but the browsers do not have.
TOO_NEW_TO_CALL = re.compile(
    r"\b(fetch|Promise|URLSearchParams|WeakMap|Symbol|IntersectionObserver)\b"
    r"|new (URL|Map|Set)\("
    r"|\.(closest|matches|includes|startsWith|endsWith|padStart|append|prepend|remove|replaceWith"
    r"|assign|entries|repeat|toggleAttribute|dataset)\b\("
)
TOO_NEW_TO_STYLE = re.compile(
    r"(?<![\w-])((row-|column-)?gap|inset|aspect-ratio|grid[\w-]*|place-[\w-]+|text-wrap)\s*:"
    r"|:\s*(inline-)?grid\b"
    r"|var\(\s*--[\w-]+\s*\)"
    r"|:(is|where|has|focus-visible|focus-within)\b"
    r"|(?<![\w-])(clamp|min|max|env|color-mix)\("
    r"|(?<![\w-])object-fit\s*:"
)
SUPPORTS = re.compile(r"@supports[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
"""What an older browser drops whole: there may be newer things in it."""
INLINE = re.compile(
    r"<style|\sstyle\s*=|<script(?![^>]*\ssrc=)|<[^>]*\son[a-z]+\s*=|javascript:", re.IGNORECASE
)

large_states = pytest.mark.parametrize(
    "state", [state for state in STATES if state.large], ids=lambda state: state.name
)


def served(tour: Tour, state: State, ending: str) -> dict[str, str]:
    """Return the text of what a page loads, by address."""
    found = [url for url in tour.visit(state, "de").resources if url.endswith(ending)]
    return {url: http_client().request("GET", url).data.decode() for url in found}


@cache
def why_not_ecmascript_5(script: str) -> str:
    """Return the parser's complaint, or nothing."""
    run = subprocess.run(
        ["node", "-e", PARSE],
        input=script,
        cwd=ROOT / "tests",
        check=True,
        capture_output=True,
        text=True,
    )
    return run.stdout


@large_states
def test_every_script_of_a_tv_is_ecmascript_5(tour: Tour, state: State) -> None:
    scripts = served(tour, state, ".js")

    assert scripts
    for script in scripts.values():
        assert why_not_ecmascript_5(script) == ""
        assert TOO_NEW_TO_CALL.search(script) is None


@large_states
def test_no_style_of_a_tv_is_newer_than_its_browser(tour: Tour, state: State) -> None:
    styles = served(tour, state, ".css")

    assert styles
    for style in styles.values():
        known = SUPPORTS.sub("", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL))
        assert TOO_NEW_TO_STYLE.search(known) is None


NEWER_VALUE = re.compile(r"(?<![\w-])(clamp|min|max|env|color-mix|var)\(|\b\d+(dvh|svh|lvh)\b")
SHEETS = sorted((ROOT / "static" / "css").glob("*.css"))


def without_a_fallback(style: str) -> list[str]:
    """Return the declarations that an older browser drops without having another one.

    What stands in an ``@supports``, which it drops whole, is no loss, nor are a sheet's own names.
    """
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    style = SUPPORTS.sub("", style)
    found = []
    for block in re.findall(r"\{([^{}]*)\}", style):
        understood: set[str] = set()
        for line in filter(None, map(str.strip, block.split(";"))):
            name, _, value = line.partition(":")
            if not NEWER_VALUE.search(value):
                # A shorthand says what its parts are, too.
                understood.add(name.strip())
            elif not understood & {name.strip(), name.strip().partition("-")[0]}:
                found.append(line)
    return found


@pytest.mark.parametrize(
    "sheet", [path for path in SHEETS if path.name not in {"catalogue.css", "docs.css"}]
)
def test_a_value_that_older_phones_do_not_know_has_a_line_before_it(sheet: Path) -> None:
    assert without_a_fallback(sheet.read_text()) == []


@pytest.mark.parametrize(
    ("style", "lost"),
    [
        ("a { top: max(1px, 2px) }", 1),
        ("a { top: 1px; top: max(1px, 2px) }", 0),
        ("a { padding: 1px 2px; padding-top: max(1px, env(x)) }", 0),
        ("a { top: max(1px, 2px); top: 1px }", 1),
        ("a { left: 1px } b { left: min(1px, 2px) }", 1),
        ("a { color: var(--x) }", 1),
        ("@supports (height: 1dvh) { a { height: 100dvh } } b { top: 0 }", 0),
        ("@media (width: 1px) { a { width: 100dvh } }", 1),
    ],
)
def test_a_missing_line_is_noticed(style: str, lost: int) -> None:
    assert len(without_a_fallback(style)) == lost


@every_page
def test_no_page_holds_a_style_or_a_script(tour: Tour, state: State, lang: str) -> None:
    assert INLINE.search(tour.visit(state, lang).html) is None


@pytest.mark.parametrize(
    "script", ["let a;", "var f = () => 1;", "`a`;", "f(...a);", "import 'a';", "({a, b});"]
)
def test_newer_scripts_are_noticed(script: str) -> None:
    assert why_not_ecmascript_5(script)


@pytest.mark.parametrize(
    "style",
    [
        *("a { gap: 1px }", "a { display: grid }", "a { color: var(--accent) }"),
        *(
            "a { object-fit: cover }",
            "a{row-gap:1px}",
            "a { inset: 0 }",
            "a:focus-visible { top: 0 }",
        ),
    ],
)
def test_newer_styles_are_noticed(style: str) -> None:
    assert TOO_NEW_TO_STYLE.search(style)


@pytest.mark.parametrize(
    "html",
    ["<p style='a'>", "<style>", "<script>", "<a onclick=b>", "<a href='javascript:b'>"],
)
def test_inline_code_is_noticed(html: str) -> None:
    assert INLINE.search(html)
