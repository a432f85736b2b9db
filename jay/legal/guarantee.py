"""The harmonised notice on the legal guarantee (Regulation (EU) 2025/1960), before anybody orders.

It is official and nothing of it is drawn here: the operator puts the picture of each language into
the data directory, as ``notices/guarantee-de.svg`` (or png, webp, jpg).
"""

from pathlib import Path

from flask import url_for
from werkzeug.wrappers import Response

from jay import i18n, web
from jay.errors import RouteNotFound
from jay.web.pages import PageBlueprint, language

blp = PageBlueprint("guarantee", __name__, guards=web.PUBLIC)

FOLDER = "notices"
TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
}


@blp.get("/legal/notice/guarantee/<lang>")
def picture(lang: str) -> Response:
    """Send the notice's picture in a language."""
    found = _file(lang)
    if found is None:
        raise RouteNotFound
    return Response(found.read_bytes(), mimetype=TYPES[found.suffix])


def guarantee_notice() -> str | None:
    """Return where the notice's picture is, in the reader's language or else in another one."""
    for lang in (language(), *(code for code, _ in i18n.languages())):
        if _file(lang) is not None:
            return url_for("guarantee.picture", lang=lang)
    return None


def _file(lang: str) -> Path | None:
    if lang not in {code for code, _ in i18n.languages()}:
        return None  # what is no language names no file
    folder = web.settings().data_dir / FOLDER
    files = (folder / f"guarantee-{lang}{suffix}" for suffix in TYPES)
    return next((file for file in files if file.is_file()), None)
