"""TVs keep the browser that they were made with: HbbTV 2.0 knows ECMAScript 5 and little CSS."""

import re
import subprocess

import pytest

from tests.e2e.actors import http_client
from tests.e2e.states import STATES, State
from tests.e2e.tour import Tour, every_page_without_scripts
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
)
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
        assert TOO_NEW_TO_STYLE.search(re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)) is None


@every_page_without_scripts
def test_no_page_holds_a_style_or_a_script(tour: Tour, state: State, lang: str) -> None:
    assert INLINE.search(tour.visit(state, lang, scripts=False).html) is None


@pytest.mark.parametrize(
    "script", ["let a;", "var f = () => 1;", "`a`;", "f(...a);", "import 'a';", "({a, b});"]
)
def test_newer_scripts_are_noticed(script: str) -> None:
    assert why_not_ecmascript_5(script)


@pytest.mark.parametrize(
    "style",
    [
        *("a { gap: 1px }", "a { display: grid }", "a { color: var(--accent) }"),
        *("a{row-gap:1px}", "a { inset: 0 }", "a:focus-visible { top: 0 }"),
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
