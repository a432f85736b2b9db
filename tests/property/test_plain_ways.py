"""Whatever is sent to an operation that is answered before Flask: the route would say the same."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings

from tests.api.plain_ways import BY_ROUTE, flask_requests, headers_of
from tests.api.test_plain_guests import told
from tests.builders import add_platform, add_shop
from tests.depth import few_or_all

PRODUCTS = ("mug", "gone", "out")

ids = st.sampled_from(PRODUCTS) | st.sampled_from(["", "\0", "x" * 501, 'ü/%2F\\"', None, 1])
counts = st.integers(-2, 1001) | st.sampled_from([1.0, "1", None, True, 2**63])
lines = st.fixed_dictionaries({}, optional={"productId": ids, "count": counts, "more": counts})
good_lines = st.fixed_dictionaries(
    {"productId": st.sampled_from(PRODUCTS)}, optional={"count": st.integers(0, 30)}
)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
bodies_of_guests = (
    st.fixed_dictionaries({"products": st.lists(good_lines, max_size=4)})
    | st.fixed_dictionaries({}, optional={"products": st.lists(lines, max_size=3) | odd})
    | odd
)
bodies_of_details = st.lists(st.sampled_from(PRODUCTS), min_size=1, max_size=12) | (
    st.lists(ids, max_size=4) | odd
)


@st.composite
def written(draw: st.DrawFn, bodies: st.SearchStrategy[Any]) -> bytes:
    """Draw a body, and how it is written: perhaps cut off, or with a piece twice."""
    content = draw(bodies)
    blanks = draw(st.sampled_from([None, (",", ":"), (" ,\n", "\t: ")]))
    text = json.dumps(content, separators=blanks, ensure_ascii=draw(st.booleans())).encode()
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    return draw(st.sampled_from([text] * 6 + [text[:end], text[:end] + text[start:]]))


headers = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(["application/json", "application/json ", "text/json", ""]),
        "Content-Encoding": st.sampled_from(["gzip", "identity"]),
        "X-Request-ID": st.just("an-id"),
        "If-Match": st.just("*"),
    },
)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("path", "bodies"),
    [("/baskets/guests", bodies_of_guests), ("/baskets/products/details", bodies_of_details)],
)
def test_both_ways_say_the_same(
    path: str,
    bodies: st.SearchStrategy[Any],
    app: Flask,
    client: FlaskClient,
) -> None:
    platform, shop = add_platform(app, client), add_shop(app, client)
    known = {"mug": shop.product("mug", stock_count=20), "out": shop.product("out", stock_count=0)}
    token, asked = platform.token("alice"), list[bytes]()

    @settings(max_examples=few_or_all(150, 5_000))
    @given(written(bodies), headers)
    def compare(body: bytes, more: dict[str, str]) -> None:
        asked.append(body)
        for name, identifier in known.items():
            body = body.replace(f'"{name}"'.encode(), f'"{identifier}"'.encode())
        more = {"Content-Type": "application/json", **more}
        for rate in app.extensions["jay.rates"].values():
            rate.forget()
        plain, routed = (
            platform.call("POST", path, token=token, data=body, headers={**more, **way})
            for way in ({}, BY_ROUTE)
        )
        assert plain.status_code == routed.status_code
        assert headers_of(plain) == headers_of(routed)
        assert told(plain) == told(routed)

    with flask_requests(app) as seen:
        compare()
    # Some are plain, and some are not.
    assert len(asked) < len(seen) < 2 * len(asked)
