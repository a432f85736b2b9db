"""Visits every page in every state once, and writes down everything that tests ask about it."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.clock import PATIENCE_SECONDS
from tests.depth import is_deep
from tests.e2e.actors import http_client
from tests.e2e.service import Service
from tests.e2e.states import LANGUAGES, STATES, State, Visitor
from tests.servers import ROOT

SIZES = {
    "tv": ((1280, 720), (1920, 1080)),
    "phone": ((390, 844), (320, 568)),
    "catalogue": ((390, 844), (1280, 720)),
}
ON_END = (1080, 1920)
"""A kiosk's screen: it cuts no edges off."""
TV_EDGE, ON_END_EDGE = 0.05, 0.023
FONTS = {"narrow": "Roboto Condensed", "common": "Liberation Sans", "wide": "DejaVu Sans"}
"""Families that ``tests/prepare`` installs: every television and phone has another font."""
PHONE_TEXT, PHONE_TARGET = 16, 44
TV_TEXT_AT_1080 = 26

MEASURE = (Path(__file__).parent / "measure.js").read_text()
AXE = ROOT / "tests" / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

_DIGITS = re.compile(r"\d+")


@dataclass
class Visit:
    """What was seen of one page in one state."""

    status: int
    html: str
    headline: str
    text: str
    """Everything that the page says, but what chance or time decide: digits, code and pair."""
    text_before_scripts: str
    """The same as it came from the server, before any script has run."""
    resources: set[str]
    hosts: set[str]
    wrong: list[str]
    broken: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """What breaks a rule of ``measure.js``, by screen size and font."""
    violations: list[str] = field(default_factory=list)
    """What axe has found."""


class Tour:
    """Visits each state when the first test asks for it, and remembers."""

    def __init__(self, service: Service, browser: Browser) -> None:
        self.service = service
        self._browser = browser
        self.known: dict[str, str] = {}
        self._visits: dict[tuple[str, str, bool], Visit] = {}
        self._sizes_of: dict[str, int] = {}
        self._contexts: dict[tuple[Any, ...], BrowserContext] = {}

    def visit(self, state: State, lang: str, *, scripts: bool = True) -> Visit:
        """Return what is seen in a state."""
        key = (state.name, lang, scripts)
        if key not in self._visits:
            with self.at(state, lang, scripts=scripts) as (page, visit):
                if (state, lang) in CHECKED_FOR_BARRIERS and scripts:
                    visit.violations = axe(page)
                for size, fonts in _measured(state, lang, scripts=scripts).items():
                    for font in fonts:
                        write_in(page, font)
                        found = measure(page, state, size)
                        visit.broken[f"{size[0]}x{size[1]} {font}"] = found
            self._visits[key] = visit
        return self._visits[key]

    @contextlib.contextmanager
    def at(
        self, state: State, lang: str, *, scripts: bool = True, **options: Any
    ) -> Iterator[tuple[Page, Visit]]:
        """Lead a browser that knows nothing to a state."""
        width, height = sizes_of(state)[0]
        if not state.large and state.kind != "catalogue":
            options = {"device_scale_factor": 2, "is_mobile": True, "has_touch": True, **options}
        context = self._context(locale=LANGUAGES[lang], java_script_enabled=scripts, **options)
        wrong: list[str] = []
        hosts: set[str] = set()
        seen: dict[str, Callable[[Any], None]] = {
            "request": lambda request: hosts.add(urlsplit(request.url).netloc),
            "weberror": lambda error: wrong.append(str(error.error)),
            "console": lambda message: (
                wrong.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        }
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        for event, note in seen.items():
            context.on(event, note)  # type: ignore[call-overload]
        self.service.move_clock(0)
        try:
            answer = state.lead(Visitor(self.service, page, lang, self.known))
            assert answer is not None
            page.wait_for_load_state("load")
            if not scripts:
                page.evaluate("window.stop()")  # a page without scripts would load itself anew
            visit = Visit(
                status=answer.status,
                html=answer.text(),
                headline=" ".join(page.locator("h1").inner_text().split()),
                text=_said(page),
                text_before_scripts=_said(page, answer.text()),
                resources=_resources(page),
                hosts=hosts,
                wrong=wrong,
            )
            if scripts and state.script is not None:
                page.evaluate(state.script)
            yield page, visit
        finally:
            self.service.move_clock(0)
            for event, note in seen.items():
                context.remove_listener(event, note)
            page.close()

    def _context(self, **options: Any) -> BrowserContext:
        """Return a browser with these options, without anything that it had stored.

        It stays open, and with it the process that draws its pages: to start another one for each
        of them takes longer than to draw them.
        """
        key = tuple(sorted(options.items()))
        if key not in self._contexts:
            context = self._contexts[key] = self._browser.new_context(**options)
            context.set_default_timeout(PATIENCE_SECONDS * 1000)
            context.new_page().goto(f"{self.service.url}/healthz")
        context = self._contexts[key]
        context.clear_cookies()
        return context

    def size_of(self, url: str) -> int:
        """Return how many bytes of content a resource has, as it is served."""
        if url not in self._sizes_of:
            answer = http_client().request("GET", url, headers={"Accept-Encoding": "identity"})
            self._sizes_of[url] = len(answer.data)
        return self._sizes_of[url]


def looked_at(*, scripts: bool = True) -> list[tuple[State, str]]:
    """Return the states that this run looks at, and the languages.

    A deep run looks at all. ``make test`` looks at each state in German, with its long words, and
    at every sixth one in English too; without scripts at another sixth, but those that a script
    makes. (Of all states it knows from the one look what they say before a script runs.)
    """
    if is_deep():
        return [(state, lang) for state in STATES for lang in LANGUAGES]
    if not scripts:
        return [(state, "de") for state in STATES[1::6] if state.script is None]
    return [(state, "de") for state in STATES] + [(state, "en") for state in STATES[::6]]


def _parametrize(pages: list[tuple[State, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("state", "lang"), pages, ids=[f"{lang}-{state.name}" for state, lang in pages]
    )


every_page = _parametrize(looked_at())
every_page_without_scripts = _parametrize(looked_at(scripts=False))


def _checked_for_barriers() -> list[tuple[State, str]]:
    """Return what axe looks at: other words build no other page.

    Of the states of one page (a screen and a headline), a plain run takes the first, the last and
    every fourth one between.
    """
    if is_deep():
        return looked_at()
    pages: dict[tuple[str, str], list[State]] = {}
    for state in STATES:
        pages.setdefault((state.kind, state.german), []).append(state)
    chosen = [state for of_page in pages.values() for state in (*of_page[:-1:4], of_page[-1])]
    return [(state, "de") for state in chosen]


CHECKED_FOR_BARRIERS = _checked_for_barriers()
every_page_checked_for_barriers = _parametrize(CHECKED_FOR_BARRIERS)

every_look = pytest.mark.parametrize(
    ("state", "lang", "scripts"),
    [
        pytest.param(
            state, lang, scripts, id=f"{'' if scripts else 'no '}scripts-{lang}-{state.name}"
        )
        for scripts in (True, False)
        for state, lang in looked_at(scripts=scripts)
    ],
)


def _measured(state: State, lang: str, *, scripts: bool) -> dict[tuple[int, int], tuple[str, ...]]:
    """Return the screens that a page is measured on, and in which fonts.

    The widest letters and German words break a page, and first where there is least room: there
    each state stands in them. On the other screen it stands in one font in turn with the states
    beside it, and a kiosk's page upright in the widest letters again. A deep run measures all.
    """
    sizes = sizes_of(state)
    if is_deep():
        return dict.fromkeys((*sizes, ON_END) if state.large else sizes, tuple(FONTS))
    least = min(sizes)
    if lang != "de" or not scripts:
        return {least: ("wide",)}
    (other,) = {*sizes} - {least}
    in_turn = [*FONTS][STATES.index(state) % len(FONTS)]
    return {least: ("wide",), other: (in_turn,), **({ON_END: ("wide",)} if state.large else {})}


def sizes_of(state: State) -> tuple[tuple[int, int], ...]:
    """Return the sizes of the screens that a page is made for."""
    return SIZES["tv" if state.large else state.kind if state.kind in SIZES else "phone"]


def write_in(page: Page, font: str) -> None:
    """Have a page written in one of the families, whatever it asks for itself.

    A sheet that is built by script: the pages' Content-Security-Policy forbids all others.
    """
    page.evaluate(
        "family => { const sheet = new CSSStyleSheet();"
        " sheet.replaceSync(`* { font-family: '${family}' !important }`);"
        " document.adoptedStyleSheets = [sheet]; }",
        FONTS[font],
    )


def measure(page: Page, state: State, size: tuple[int, int]) -> dict[str, list[str]]:
    """Return what is too small, too wide or in the way on a screen."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    rules = {
        "large": state.large,
        "width": size[0],
        "height": size[1],
        "edge": ON_END_EDGE if size == ON_END else TV_EDGE,
        "smallestText": TV_TEXT_AT_1080 * min(size) / 1080 if state.large else PHONE_TEXT,
        "smallestTarget": PHONE_TARGET,
    }
    found: dict[str, list[str]] = page.evaluate(MEASURE, rules)
    return found


SHAPELESS = """() => [...document.querySelectorAll('.button, .tile, .choice')].filter(one => {
  const style = getComputedStyle(one);
  const drawn = kind => style[kind + 'Style'] !== 'none' && parseFloat(style[kind + 'Width']) > 0
    && style[kind + 'Color'] !== 'rgba(0, 0, 0, 0)';
  return one.checkVisibility() && !drawn('borderTop') && !drawn('outline');
}).map(one => one.className)"""
"""Finds what one can press and does not see where a browser draws in its user's own colours."""


def axe(page: Page, *rules: str) -> list[str]:
    """Return what axe finds, a line for each element.

    :param rules: the only ones that are asked.
    """
    page.evaluate(AXE.read_text() + "; 0")
    asked = {"type": "rule", "values": list(rules)} if rules else list(AXE_TAGS)
    found = page.evaluate(
        "asked => axe.run(document, {runOnly: asked, resultTypes: ['violations'],"
        " preload: {assets: ['media']}})",  # no rule of these reads style sheets
        asked,
    )
    return [
        f"{rule['id']}: {rule['help']}: {node['html']} {node.get('failureSummary', '')}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


_SAID = """html => {
  const shown = html === null ? document : new DOMParser().parseFromString(html, 'text/html');
  return [...shown.querySelectorAll('h1, main')].map(part => {
    const copy = part.cloneNode(true);
    const extra = 'script, noscript, .pair, .phone, .typed strong, .instead strong, .number';
    copy.querySelectorAll(extra).forEach(one => one.remove());
    return copy.textContent;
  }).join(' ');
}"""


def _said(page: Page, html: str | None = None) -> str:
    """Return what a page says, as it is or as its source ``html`` has it."""
    said: str = page.evaluate(_SAID, html)
    return _DIGITS.sub("", " ".join(said.split()))


def _resources(page: Page) -> set[str]:
    found: list[str] = page.evaluate(
        "() => [...performance.getEntriesByType('resource').map(entry => entry.name),"
        " ...[...document.querySelectorAll('link[href]')].map(link => link.href)]"
    )
    return set(found)
