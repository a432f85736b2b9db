"""HTML in texts becomes text, once and for all; what is none stays as it is."""

import re

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from jay.products.texts import has_markup, plain_text
from tests.depth import few_or_all

PARTS = st.sampled_from(
    [
        *("<p>", "</p>", "<br>", "<b", ">", "<", "&", "&amp;", "&lt;", "&gt;", "&#60;", "&#x26;"),
        *("amp;", "lt;", "script", "<script>", "</script>", "<!--", "-->", "<img src=x onerror=y>"),
        *("a", " ", "\n", "é", "&eacute;", "1 < 2", "AT&T", "<svg>", "<![CDATA[", "]]>", "&nbsp;"),
    ]
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Fine <b>mug</b> &amp; more", "Fine mug & more"),
        ("<p>One.</p><p>Two.</p>", "One.\nTwo."),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
        (
            "<table><tr><td>Size</td><td>M</td></tr><tr><th>Fit</th><td>slim</td></tr></table>",
            "Size M\nFit slim",
        ),
        ("&lt;p&gt;twice&lt;/p&gt;", "twice"),
        ("<script>alert(1)</script>safe<style>p{}</style>", "safe"),
        ("&uuml;&#8364;&nbsp;5", "ü€ 5"),
        ("5 < 6 & 7 > 3", "5 < 6 & 7 > 3"),
        ("AT&T <3 you", "AT&T <3 you"),
        ("two\n\n\nlines  stay", "two\n\n\nlines  stay"),
        ("", ""),
    ],
)
def test_markup_becomes_text_and_text_stays(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@settings(max_examples=few_or_all(200, 20_000), deadline=None)
@given(st.lists(PARTS, max_size=12).map("".join) | st.text(max_size=60))
@example("&amp;" * 20 + "lt;b>")
@example("&amp;amp;amp;amp;amp;amp;lt;b&gt;")
def test_doing_it_again_changes_nothing_and_no_tag_is_left(text: str) -> None:
    plain = plain_text(text)

    assert plain_text(plain) == plain
    assert not has_markup(plain)
    assert not re.search(r"<(script|img|p|b|svg)\b", plain)


def test_what_has_no_markup_stays_to_the_letter() -> None:
    text = "  two  blanks\tand\r\nlines & <3 "

    assert plain_text(text) is text
