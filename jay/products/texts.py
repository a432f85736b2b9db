"""Texts that shops send as HTML, as the plain text that a television shows.

nh3 (Ammonia) reads them as a browser does and takes out every tag, with what is in scripts and
styles. Text that is none of HTML, such as ``5 < 6`` or ``AT&T``, stays as it is.
"""

import html
import re

import nh3

MAX_HTML = 30_000
"""Characters of the longest text with tags that is read: nesting costs by the square."""

_ROUNDS = 4
_MARKUP = re.compile(
    r"<[a-zA-Z/!?]|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"
)
_LINE_ENDS = re.compile(
    r"<\s*(?:br\s*/?|/\s*(?:p|div|li|dd|h[1-6]|tr|ul|ol|table|section|article|blockquote))\s*>"
    r"|(?<![>\s])<(?:li|p|tr|dd|h[1-6])>",  # what begins ends what was not closed before
    re.IGNORECASE,
)
_CELL_ENDS = re.compile(r"</\s*(?:td|th|dt|option)\s*>", re.IGNORECASE)


def has_markup(text: str) -> bool:
    """Tell whether a text has a tag or an entity of HTML."""
    return ("<" in text or "&" in text) and _MARKUP.search(text) is not None


def plain_text(text: str) -> str:
    """Return a text without HTML: what has none stays as it is.

    What was escaped twice, as texts from feeds often are, is unescaped twice. Doing it again
    changes nothing, so that an export is imported as it was.
    """
    for _ in range(_ROUNDS):
        if not has_markup(text):
            return text
        text = _without_tags(text[:MAX_HTML])
    # Whoever escapes five times means no good.
    return re.sub("[<&]", "", text) if has_markup(text) else text


def _without_tags(text: str) -> str:
    # A line break is no text in HTML, and gets lost with its tag.
    apart = _CELL_ENDS.sub(lambda tag: f" {tag[0]}", text)
    broken = _LINE_ENDS.sub(lambda tag: f"\n{tag[0]}", apart)
    found = html.unescape(nh3.clean(broken, tags=set(), clean_content_tags={"script", "style"}))
    lines = (" ".join(line.split()) for line in found.replace("\0", "").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
