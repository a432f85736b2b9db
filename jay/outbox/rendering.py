"""Letters from templates: ``templates/mail/NAME.html`` and ``NAME.txt``, in any language.

They know no request: who gets a mail has not asked for it in this moment, and its language is that
of what it is about.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from jay import i18n
from jay.outbox.letters import Attachment, Letter, Picture

_FOLDER = Path(__file__).parent.parent.parent / "templates"
_BLANK_LINES = re.compile(r"\n{3,}")
_DOT = re.compile(r"\.(?=\w)")


@cache
def _templates(lang: str) -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(["html"]),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = i18n.texts(lang)
    made.install_gettext_callables(  # type: ignore[attr-defined]
        texts.gettext, texts.ngettext, newstyle=True
    )
    made.filters["isolated"] = i18n.isolated
    made.filters["plain"] = i18n.without_controls
    made.globals["lang"] = lang
    return made


def unlinked(text: str) -> str:
    """Return a foreign text in which mail programs find no address to make a link of.

    They make one of ``shop.example/now``, too. A character that nobody sees parts the names.
    """
    return _DOT.sub(".\u200c", text)


def letter(
    template: str,
    subject: str,
    lang: str,
    *,
    attachments: Sequence[Attachment] = (),
    pictures: Sequence[Picture] = (),
    **told: Any,
) -> Letter:
    """Write a letter in words and as a page, which say the same.

    :param subject: already in its language.
    :param pictures: what its page shows, by their Content-IDs.
    :param told: what the templates say.
    """
    templates = _templates(lang)
    html, text = (
        templates.get_template(f"mail/{template}.{kind}").render(subject=subject, **told)
        for kind in ("html", "txt")
    )
    plain = _BLANK_LINES.sub("\n\n", text).strip() + "\n"
    return Letter(subject, plain, html, lang, attachments, pictures)
