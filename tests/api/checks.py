"""What tests of several operations check alike, and how they look behind the answers."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from jay import db
from jay.db.types import metadata
from jay.errors import JayError, TooManyRequests


def assert_refused(response: TestResponse, error: type[JayError]) -> None:
    """Check that the answer is this error: status, number, and nothing but the envelope."""
    said = response.get_data(as_text=True)
    assert (response.status_code, response.mimetype) == (error.status, "application/json"), said
    assert set(response.json) == {"error"}, said
    assert set(response.json["error"]) == {"code", "message", "details"}, said
    assert response.json["error"]["code"] == error.code, said
    for name, value in error.headers.items():
        told = response.headers[name]
        # Where it is known when a limit ends, so much is said.
        assert told == value or (error is TooManyRequests and 0 < int(told) < int(value))


def field_errors(response: TestResponse) -> dict[str, Any]:
    """Return the field errors of a 422."""
    assert response.status_code == 422, response.get_data(as_text=True)
    assert response.json["error"]["code"] == 1003
    found: dict[str, Any] = response.json["error"]["details"]
    return found


def body(text: str | bytes) -> dict[str, Any]:
    """Return what sends a JSON document as it stands here, to the byte."""
    return {"data": text, "content_type": "application/json"}


def dump(app: Flask) -> str:
    """Return everything that the database holds, as one text: of what changes nothing, the same."""
    with app.app_context(), db.reading() as connection:
        tables = [connection.execute(select(table)).all() for table in metadata.sorted_tables]
    # In which order rows come is not promised, and changes where several servers send them.
    return repr([sorted(rows, key=repr) for rows in tables])


def rows(app: Flask, table: str) -> int:
    """Count the rows of a table."""
    query = select(func.count()).select_from(metadata.tables[table])
    with app.app_context(), db.reading() as connection:
        return int(connection.execute(query).scalar_one())


class Log:
    """The structured log, as it reaches standard output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged since the last call."""
        captured = self._capsys.readouterr()
        assert captured.err == ""
        return [json.loads(line) for line in captured.out.splitlines()]
