"""Plain text or simple Markdown as HTML (CommonMark): nothing in it does more than be read."""

from markdown_it import MarkdownIt
from markupsafe import Markup

# HTML in a text stays text, and links with a script are none. A line stays a line, as addresses
# are written. Pages load nothing from other hosts, so there are no pictures.
_reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")


def rendered(text: str) -> Markup:
    """Write a text as HTML; its headings begin below that of the page."""
    tokens = _reader.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
    return Markup(_reader.renderer.render(tokens, _reader.options, {}))  # noqa: S704 - without HTML
