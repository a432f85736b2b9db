"""Scripts, styles and pictures of pages: known again by what they hold, whichever node answers."""

import os
import shutil
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

pytestmark = pytest.mark.one_database

STYLE = "/static/css/tv.css"


@pytest.fixture
def other_node(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same files, written at another time."""
    copy = tmp_path / "static"
    shutil.copytree(str(app.static_folder), copy, copy_function=shutil.copyfile)
    os.utime(copy / "css/tv.css", (0, 0))
    monkeypatch.setattr(app, "static_folder", str(copy))
    return copy


def got(client: FlaskClient, path: str = STYLE, **headers: str) -> TestResponse:
    """Get a file; whole, so that it is closed."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers=sent, buffered=True)


def etag_of(client: FlaskClient, path: str = STYLE) -> str:
    response = got(client, path)
    assert response.status_code == 200
    assert "Last-Modified" not in response.headers
    return response.headers["ETag"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "gzip"])
def test_what_one_node_has_sent_is_not_sent_again_by_another(
    form: str, client: FlaskClient, request: pytest.FixtureRequest
) -> None:
    etag = etag_of(client)
    request.getfixturevalue("other_node")
    sent_back = etag[:-1] + '-gzip"' if form == "gzip" else form.format(etag)

    response = got(client, If_None_Match=sent_back)

    assert (response.status_code, response.data, response.headers["ETag"]) == (304, b"", etag)


def test_what_holds_something_else_is_sent(client: FlaskClient, other_node: Path) -> None:
    etag, style = etag_of(client), other_node / "css/tv.css"
    style.write_bytes(style.read_bytes().swapcase())  # of the same size,
    os.utime(style, (0, 0))  # at the same time

    response = got(client, If_None_Match=etag)

    assert (response.status_code, response.data) == (200, style.read_bytes())
    assert response.headers["ETag"] != etag


def test_a_browser_asks_each_time_and_may_go_on_where_it_was(client: FlaskClient) -> None:
    whole = got(client)
    assert whole.headers["Cache-Control"] == "no-cache"

    response = got(client, Range="bytes=100-", If_Range=whole.headers["ETag"])

    assert (response.status_code, response.data) == (206, whole.data[100:])


@pytest.mark.parametrize("path", ["/static/", "/static/css", "/static/../app.py", "/static/no.css"])
def test_nothing_else_is_sent(path: str, client: FlaskClient) -> None:
    assert client.get(path).status_code == 404


def test_the_files_of_the_documentation_are_known_so_too(client: FlaskClient) -> None:
    path = "/docs/assets/swagger-ui.css"
    etag = etag_of(client, path)

    response = got(client, path, If_None_Match=etag)

    assert response.status_code == 304
    assert response.headers["Cache-Control"] == "public, max-age=86400"
    assert client.get("/docs/assets/none.css").status_code == 404
