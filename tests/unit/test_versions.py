"""Which dated version a request gets."""

import re

import pytest

from jay.errors import VersionUnknown
from jay.web.versions import APIS, BASKET_API, PRODUCT_API, api_of_path


def test_the_apis_offer_the_versions_of_the_contract() -> None:
    assert BASKET_API.versions == ("2025-09-15", "2025-07-21")
    assert PRODUCT_API.versions == ("2025-07-09",)
    assert (BASKET_API.prefix, PRODUCT_API.prefix) == ("/v2", "/v1")


@pytest.mark.parametrize("api", APIS)
def test_versions_are_dates_and_the_newest_comes_first(api: object) -> None:
    versions = list(api.versions)

    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", version) for version in versions)
    assert versions == sorted(versions, reverse=True)
    assert api.newest == versions[0]


def sent(headers: dict[str, str]) -> dict[str, str]:
    """Return headers as WSGI names them."""
    return {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}


def test_without_a_header_a_request_gets_the_newest() -> None:
    assert BASKET_API.version_for({}) == "2025-09-15"


@pytest.mark.parametrize(
    "header", ["X-API-Version", "x-api-version", "x-jay-api-version", "X-JAY-API-VERSION"]
)
def test_both_header_names_are_understood(header: str) -> None:
    assert BASKET_API.version_for(sent({header: "2025-07-21"})) == "2025-07-21"


def test_x_api_version_wins_when_both_are_sent_and_differ() -> None:
    headers = sent({"x-jay-api-version": "2025-07-21", "X-API-Version": "2025-09-15"})

    assert BASKET_API.version_for(headers) == "2025-09-15"


def test_the_losing_header_is_not_looked_at() -> None:
    headers = sent({"x-jay-api-version": "nonsense", "X-API-Version": "2025-07-21"})

    assert BASKET_API.version_for(headers) == "2025-07-21"


def test_a_wrong_x_api_version_is_refused_beside_a_right_other_one() -> None:
    headers = sent({"x-jay-api-version": "2025-07-21", "X-API-Version": "nonsense"})

    with pytest.raises(VersionUnknown):
        BASKET_API.version_for(headers)


@pytest.mark.parametrize("header", ["X-API-Version", "x-jay-api-version"])
@pytest.mark.parametrize(
    "asked",
    [
        "",
        " ",
        "1",
        "latest",
        "2025-09-14",
        "2099-01-01",
        "2025-9-15",
        "2025-09-15T00:00:00Z",
        "2025-09-15,2025-07-21",
        "2025-09-15 ",
        "\uff12\uff10\uff12\uff15-09-15",
    ],
)
def test_an_unknown_or_malformed_version_is_refused_with_the_supported_ones(
    header: str, asked: str
) -> None:
    with pytest.raises(VersionUnknown) as refused:
        BASKET_API.version_for(sent({header: asked}))

    assert refused.value.status == 400
    assert refused.value.details == {"supported": ["2025-09-15", "2025-07-21"]}


def test_a_version_of_the_other_api_is_unknown() -> None:
    with pytest.raises(VersionUnknown):
        PRODUCT_API.version_for(sent({"X-API-Version": "2025-09-15"}))


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v2", BASKET_API),
        ("/v2/", BASKET_API),
        ("/v2/baskets/users/x", BASKET_API),
        ("/v1/shops/config", PRODUCT_API),
        ("/", None),
        ("/v20", None),
        ("/v2x/y", None),
        ("/docs/v2/", None),
        ("/t/v2", None),
    ],
)
def test_the_path_tells_the_api(path: str, api: object) -> None:
    assert api_of_path(path) is api
