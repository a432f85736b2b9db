"""The path of a request as it was sent."""

from typing import Any

import pytest

from jay.web.paths import ENCODED_SLASH, EncodedSlashes, path_sent

ID = "/v2/baskets/users/auth0%2F4711"


def routed(environ: dict[str, Any]) -> str:
    """Return the path by which the app looks for a route."""
    seen: list[str] = []
    app = EncodedSlashes(lambda inner, _start: seen.append(inner["PATH_INFO"]))
    app({"PATH_INFO": "/v2/baskets/users/auth0/4711", **environ}, None)
    return seen[0]


@pytest.mark.parametrize("name", ["RAW_URI", "REQUEST_URI"])
@pytest.mark.parametrize(
    "target",
    [ID, f"{ID}?a=b", f"http://kino.example{ID}", f"HTTPS://kino.example:8443{ID}?a=http://b"],
)
def test_a_slash_in_an_id_stays_one_however_the_server_tells_it(name: str, target: str) -> None:
    assert routed({name: target}) == f"/v2/baskets/users/auth0{ENCODED_SLASH}4711"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://kino.example", "/"),
        ("http://kino.example?a", "/"),
        ("*", "*"),
        ("//kino.example/v2", "//kino.example/v2"),
        ("/v2/a://b", "/v2/a://b"),
    ],
)
def test_only_an_origin_is_left_out(target: str, path: str) -> None:
    assert path_sent({"RAW_URI": target}) == path


def test_a_server_that_tells_no_target_serves_nothing() -> None:
    with pytest.raises(RuntimeError, match="gunicorn"):
        routed({})
