"""The OpenAPI documents: complete, consistent, and true."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jay.errors import CheckoutNotFound, all_errors
from jay.web.blueprint import Blueprint
from tests.builders import Shop, User
from tests.conftest import Apps

pytestmark = pytest.mark.one_database

PREFIXES = ["/v2", "/v1"]
METHODS = {"get", "put", "post", "patch", "delete", "head", "options"}


@pytest.fixture(params=PREFIXES)
def prefix(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def document(prefix: str, client: FlaskClient) -> dict[str, Any]:
    return read(client, prefix)


def test_a_document_that_can_not_be_made_whole_is_not_given_out(
    database_url: str, apps: Apps, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = apps.on(database_url, "describes-badly")
    original = Blueprint.register_views_in_doc
    fails = ["baskets"]

    def describe(blueprint: Blueprint, *args: Any, **more: Any) -> None:
        original(blueprint, *args, **more)
        if blueprint.name in fails:
            raise ValueError("It can't be described.")

    monkeypatch.setattr(Blueprint, "register_views_in_doc", describe)
    asked = broken.test_client()
    assert [asked.get("/v2/openapi.json").status_code for _ in range(2)] == [500, 500]
    fails.clear()

    assert read(asked, "/v2") == read(client, "/v2")


def read(client: FlaskClient, prefix: str) -> dict[str, Any]:
    response = client.get(f"{prefix}/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    found: dict[str, Any] = response.json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield method, path, operation


def walk(node: Any, path: str = "#") -> Iterator[tuple[str, Any]]:
    yield path, node
    if isinstance(node, dict | list):
        children = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in children:
            yield from walk(child, f"{path}/{key}")


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[unquote(part).replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def schema_of(document: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = resolved(document, answer)["content"]["application/json"]["schema"]
    return content


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    return jsonschema_rs.validator_for({**schema, "components": document["components"]})


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert set(document["info"]) >= {"title", "version", "description"}
    assert document["paths"]


def test_it_describes_every_route_and_no_other(
    prefix: str, document: dict[str, Any], app: Flask
) -> None:
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(prefix + "/") and not rule.rule.endswith("/openapi.json")
    }

    assert {(method, path) for method, path, _ in operations(document)} == routes


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = [(p, node) for p, node in walk(document) if p.endswith("/$ref")]

    assert references
    for path, reference in references:
        assert reference.startswith("#/"), path
        assert resolved(document, {"$ref": reference}), path


def test_it_names_no_other_server(document: dict[str, Any]) -> None:
    assert document["servers"] == [{"url": "http://localhost"}]
    examples = re.compile(r"https?://(?:[\w-]+\.)*(?:example|localhost)(?![\w.])")
    for path, node in walk(document):
        for url in re.findall(r"https?://[^\s\"'<>)]*", node) if isinstance(node, str) else []:
            assert examples.match(url), (path, url)


def test_each_operation_asks_for_what_its_guards_ask_for(
    document: dict[str, Any], app: Flask
) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["apiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert (schemes["userToken"]["type"], schemes["userToken"]["scheme"]) == ("http", "bearer")
    of_route = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)): rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in rule.methods or set()
    }
    for method, path, operation in operations(document):
        blueprint: Any = app.blueprints[of_route[method, path].rpartition(".")[0]]
        guards = {guard.__name__ for guard in blueprint.guards}
        asked = {name for requirement in operation["security"] for name in requirement}
        expected = set()
        if guards & {"require_partner", "require_merchant"}:
            expected.add("apiKey")
        if "require_user" in guards:
            expected.add("userToken")
        assert asked == expected, (method, path)
        assert len(operation["security"]) <= 1, "both are needed, not one of them"


def test_security_in_the_document_is_security_in_fact(
    document: dict[str, Any], client: FlaskClient
) -> None:
    for method, path, operation in operations(document):
        status = client.open(re.sub(r"{\w+}", "x", path), method=method).status_code
        assert (status == 401) is bool(operation["security"]), (method, path)


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["summary"].endswith("."), (method, path)
        assert operation["tags"], (method, path)
        assert "200" in operation["responses"], (method, path)
        declared = {
            parameter["name"]
            for item in (operation, document["paths"][path])
            for node in item.get("parameters", ())
            for parameter in (resolved(document, node),)
            if parameter["in"] == "path" and parameter["required"]
        }
        assert declared == set(re.findall(r"{(\w+)}", path)), (method, path)


def test_every_parameter_and_field_has_a_sentence(document: dict[str, Any]) -> None:
    for path, node in walk(document):
        if path.endswith("/properties"):
            for name, field in node.items():
                assert is_sentence(field.get("description", "")), (path, name)
        elif isinstance(node, dict) and {"in", "name"} <= node.keys() and "securitySch" not in path:
            assert is_sentence(node.get("description", "")), (path, node["name"])


def is_sentence(text: str) -> bool:
    return text.endswith((".", ":")) and (text[0].isupper() or text[0] in "`>0123456789n")


def test_what_is_optional_is_not_filled_in_but_filters(document: dict[str, Any]) -> None:
    for path, node in walk(document):
        if isinstance(node, dict) and node.get("in") == "header" and not node.get("required"):
            assert "example" not in {*node, *node.get("schema", ())}, (path, node)


def test_every_operation_knows_the_version_header(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        names = [resolved(document, p)["name"] for p in operation["parameters"]]
        assert names.count("X-API-Version") == 1, (method, path)


def test_every_operation_lists_its_errors_with_examples(document: dict[str, Any]) -> None:
    known = {error.constant(): error for error in all_errors()}
    # What is refused when it is to be finished is not found when it is asked for.
    other = {CheckoutNotFound.constant(): {CheckoutNotFound.status}}
    for method, path, operation in operations(document):
        statuses = {int(status) for status in operation["responses"] if status.isdigit()}
        expected = {400, 500, 503}
        expected |= {401, 403} if operation["security"] else set()
        expected |= {413, 415, 422} if "requestBody" in operation else set()
        assert statuses >= expected, (method, path)
        for status in statuses - {200, 304}:
            answer = resolved(document, operation["responses"][str(status)])
            content = answer["content"]["application/json"]
            check = validator(document, content["schema"])
            assert content["examples"], (method, path, status)
            for constant, example in content["examples"].items():
                check.validate(example["value"])
                assert example["value"]["error"]["code"] == known[constant].code
                assert status in {known[constant].status, *other.get(constant, ())}


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    def has_example(media: dict[str, Any]) -> bool:
        parts = [part for _, part in walk(media) if isinstance(part, dict)]
        return any("example" in part or "examples" in part for part in parts) or any(
            has_example(resolved(document, part)) for part in parts if "$ref" in part
        )

    for method, path, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies.append(operation["responses"]["200"])
        for holder in bodies:
            content = resolved(document, holder)["content"]
            for media_type, media in content.items():
                if media_type == "application/json":
                    assert has_example(media), (method, path)


def test_every_schema_is_a_json_schema_and_its_examples_fit(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate(schema)
        for path, node in walk(schema, name):
            if isinstance(node, dict) and "example" in node and "/properties/" in path:
                validator(document, node).validate(node["example"])


def test_patterns_mean_in_javascript_what_they_mean_here(document: dict[str, Any]) -> None:
    for path, node in walk(document):
        if path.endswith("/pattern") and isinstance(node, str):
            assert not re.search(r"\\[AZzG]|\(\?P", node), (path, node)


def test_every_object_is_closed_where_unknown_fields_are_refused(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            schema = resolved(document, schema_of(document, operation["requestBody"]))
            if schema.get("type") == "object":
                assert schema["additionalProperties"] is False, (method, path)


# --- what is answered is what is described ---


def assert_described(client: FlaskClient, response: TestResponse, method: str, path: str) -> None:
    document = read(client, path[:3])
    answers = document["paths"][path][method]["responses"]
    schema = schema_of(document, answers[str(response.status_code)])
    validator(document, schema).validate(response.json)


def test_answers_of_the_basket_api_are_as_described(
    alice: User, shop: Shop, client: FlaskClient
) -> None:
    mug = shop.product("mug", stock_count=None, variants=[{"sku": "s", "value": "S"}])
    user, product = "/v2/baskets/users/{userId}", "/v2/baskets/users/{userId}/products/{productId}"
    alice.put(shop.product("hat"), 0)
    ids = [mug, "unknown", f"{mug[:-3]}s"]
    offer = alice.call("POST", "/transfer?qr=true")

    for response, method, path in (
        (alice.put(mug, 2), "post", product),
        (alice.put("unknown"), "post", product),
        (alice.product("PATCH", mug, json={"count": 3}), "patch", product),
        (alice.product("PATCH", mug, json={"count": "3"}), "patch", product),
        (alice.product("DELETE", "unknown"), "delete", product),
        (alice.call("GET"), "get", user),
        (alice.platform.call("GET", "/baskets/users/x"), "get", user),
        (alice.call("DELETE", headers={"If-Match": '"x"'}), "delete", user),
        (
            alice.platform.call("POST", "/baskets/products/details", token=alice.token, json=ids),
            "post",
            "/v2/baskets/products/details",
        ),
        (offer, "post", user + "/transfer"),
        (
            client.get(offer.json["data"]["statusUrl"]),
            "get",
            "/v2/transfers/{displayToken}/status",
        ),
        (alice.platform.redeem(offer.json["data"]["jayToken"]), "post", "/v2/baskets/guests"),
        (alice.platform.redeem(offer.json["data"]["jayToken"]), "post", "/v2/baskets/guests"),
        (client.get("/v2/"), "get", "/v2/"),
    ):
        assert_described(client, response, method, path)


def test_answers_of_the_product_api_are_as_described(shop: Shop, client: FlaskClient) -> None:
    fields = {"sku": "mug", "name": "Mug", "variants": [{"sku": "s"}]}
    products, config = "/v1/shops/products", "/v1/shops/config"

    for response, method, path in (
        (shop.call("POST", "/shops/products", json=fields), "post", products),
        (shop.call("POST", "/shops/products", json={"sku": "s", "name": "S"}), "post", products),
        (shop.call("POST", "/shops/products", json={"variants": [1]}), "post", products),
        (
            shop.call("PATCH", "/shops/products", json={"products": [{"sku": "x"}]}),
            "patch",
            products,
        ),
        (shop.call("GET", "/shops/products"), "get", products),
        (shop.call("GET", "/shops/products?next_token=x"), "get", products),
        (shop.call("GET", "/shops/config"), "get", config),
        (shop.call("PATCH", "/shops/config", json={"vat": 19}), "patch", config),
        (client.get("/v1/"), "get", "/v1/"),
    ):
        assert_described(client, response, method, path)


def test_the_documentation_page_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    response = client.get("/docs")

    assert response.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]*)"', response.get_data(as_text=True))
    assert addresses
    for address in addresses:
        assert re.match(r"/(?!/)|#", address) or address == "data:,", address
        if address.startswith(("/docs/assets", "/static")):
            asset = client.get(address)
            assert asset.status_code == 200
            asset.close()
