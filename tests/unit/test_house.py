"""The rules of the house: an order of packages, and what each kind of file may use.

CONTRIBUTING.md tells them in words. A new file gets its kind here.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JAY = ROOT / "jay"

ORDER = (
    *("errors", "clock", "i18n", "sealing", "net", "config"),
    *("db", "events", "web"),
    *("merchants", "partners", "legal", "auth", "playouts", "operators", "outbox"),
    *("products", "pictures", "feeds", "baskets", "transfers", "guests", "kiosk", "checkout"),
    *("orders", "connectors", "privacy"),
    *("ops", "__init__"),
)
"""Each package imports only what stands left of it."""

MODEL, SERVICE, SCHEMA, EDGE, ADAPTER = "model", "service", "schema", "edge", "adapter"

KINDS = {
    MODEL: """
        errors auth/models baskets/models baskets/totals checkout/addresses checkout/models
        checkout/order_numbers checkout/order_rows checkout/pay_links checkout/pins
        checkout/providers/interface checkout/sandbox/models connectors/interface connectors/twins
        feeds/foreign feeds/models
        feeds/progress legal/models legal/sellers merchants/models net/addresses net/json_names
        operators/models ops/demo_legal ops/mends orders/models orders/words outbox/letters
        outbox/models partners/branding partners/models pictures/models privacy/registry
        products/groups products/gtins products/models products/price_merging products/prices
        products/search products/shipping transfers/models web/names web/versions
    """,
    SERVICE: """
        events auth/service auth/signing_keys baskets/offered baskets/pictured baskets/service
        checkout/comfort checkout/contacts checkout/notices checkout/sandbox/service
        checkout/sessions connectors/connector connectors/handed feeds/checkpoints
        feeds/leftovers feeds/pulls guests/service legal/service merchants/connectors
        merchants/service operators/service ops/alarms ops/clocks ops/demo ops/purge ops/removal
        ops/reseal orders/checking orders/events orders/handover orders/ledger orders/looking
        orders/refunds orders/service orders/steps orders/whole orders/withdrawals outbox/kinds
        outbox/mails outbox/service outbox/webhooks partners/service pictures/leases
        pictures/purging pictures/service pictures/standing pictures/sweeping pictures/uploading
        privacy/erasing privacy/exporting privacy/finding products/bulk products/bulk_sql
        products/catalogue products/configuring products/feeding products/former_prices
        products/listing products/price_history products/repricing products/service
        products/stock products/stored products/unit_prices products/upserting products/wall
        products/wanted transfers/service web/limits web/stored_answers
    """,
    SCHEMA: """
        baskets/schemas checkout/schemas feeds/amounts feeds/mending feeds/rows guests/schemas
        orders/schemas products/config_schemas products/examples products/fields
        products/schemas transfers/schemas web/plain web/schema web/words
    """,
    EDGE: """
        __init__ auth/cli auth/cors auth/guards auth/guest_keys auth/routes auth/tokens
        baskets/choices baskets/credentials baskets/details baskets/focus baskets/held
        baskets/held_pages baskets/pages baskets/plain baskets/routes baskets/showing
        baskets/telling baskets/undo baskets/view checkout/address_form checkout/flow
        checkout/one_click checkout/pages checkout/psp_routes checkout/reconciling
        checkout/remembered checkout/routes checkout/sandbox/pages checkout/saying
        checkout/stripe_pages checkout/summary connectors/cli connectors/handing
        connectors/mail/connector connectors/mail/letters connectors/polling
        connectors/pull/connector connectors/shopify/connector connectors/shops
        connectors/webhook/connector connectors/webhook/mails connectors/woocommerce/connector
        db/doors feeds/cli feeds/exporting feeds/importing feeds/options feeds/preview
        feeds/pull_cli feeds/pulling feeds/report feeds/running feeds/sayings guests/plain
        guests/routes kiosk/pages legal/cli legal/guarantee legal/pages legal/seller_cli
        legal/seller_pages merchants/arguments merchants/cli operators/cli operators/pages
        ops/backup_cli ops/cli ops/commands ops/demo_catalogue ops/demo_shop ops/distribute_cli
        ops/docs ops/health ops/operator_mails ops/removal_cli ops/reseal_cli ops/worker orders/cli
        orders/desk_pages orders/mail_pictures orders/mails orders/pages orders/refunding
        orders/routes orders/showing orders/withdrawal_cli orders/withdrawal_mails
        orders/withdrawal_pages outbox/cli outbox/delivery partners/cli partners/options
        partners/pages partners/view pictures/cli pictures/filling pictures/pages
        pictures/routes pictures/showing pictures/tidying playouts/routes privacy/cli
        privacy/forgetting products/cli products/pages products/routes products/showing
        products/view transfers/pages transfers/pairs transfers/polling transfers/routes
        transfers/tv web/blueprint web/bodies web/commands web/conditions web/context web/early
        web/idempotency web/information web/logs web/openapi web/pages web/paths web/rates
        web/responses web/seldom web/tracking
    """,
    ADAPTER: """
        clock config i18n sealing auth/jwks auth/signatures checkout/providers/stripe/account
        checkout/providers/stripe/amounts checkout/providers/stripe/calls
        checkout/providers/stripe/provider checkout/providers/stripe/reading
        checkout/providers/stripe/shares checkout/providers/stripe/webhooks
        checkout/sandbox/provider connectors/calling connectors/shopify/shop
        connectors/woocommerce/shop db/breaker db/causes db/database db/distributing db/lending
        db/outages db/postgresql db/prepared db/readiness db/routing db/sqlite db/standby
        db/statistics db/turns db/types db/upsert db/write_queue feeds/ahead feeds/downloading
        feeds/files feeds/google feeds/items feeds/major feeds/mapped feeds/mapping
        feeds/readers feeds/sales feeds/skus feeds/sources feeds/spreadsheets feeds/tables
        feeds/units feeds/unpacking legal/markup net/buckets net/client net/deadlines net/emails
        net/names net/smtp net/waits ops/backup ops/demo_viewer ops/lan ops/revision
        outbox/rendering outbox/transports/calls outbox/transports/http outbox/transports/mail
        partners/keys pictures/bucket pictures/drawing pictures/fetching pictures/reading
        pictures/store products/texts transfers/qr web/answering web/body_files web/connections
        web/counts web/fair_shares web/framing web/plain_http web/ports web/serving
    """,
}

LENT = {
    *("auth/guards", "auth/tokens", "baskets/credentials", "merchants/arguments"),
    *(
        "feeds/pulling",
        "pictures/filling",
        "pictures/tidying",
        "operators/pages",
        "outbox/delivery",
        "checkout/reconciling",
        "checkout/flow",
        "orders/refunding",
        "orders/mails",
        "orders/showing",
        "connectors/polling",
        "legal/guarantee",
        "legal/pages",
        "legal/seller_pages",
    ),
    *(
        "partners/view",
        "pictures/showing",
        "products/showing",
        "products/view",
        "baskets/view",
        "baskets/held",
        "baskets/showing",
        "baskets/telling",
    ),
}
"""Edges that other features' edges may use: guards, and how a thing is shown."""

DOORS = {"transaction", "reading", "commit", "rollback", "begin", "connect"}
STATEMENTS = {"select", "insert", "update", "delete", "text"}
FRAMEWORK = {"flask", "flask_smorest", "werkzeug", "webargs"}

FILES = sorted(
    path for path in JAY.rglob("*.py") if path.name != "__init__.py" or path.parent == JAY
)


def name_of(path: Path) -> str:
    return str(path.relative_to(JAY).with_suffix(""))


BY_NAME = {name_of(path): path for path in FILES}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the full name of everything that a file imports, at whatever depth."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def ours(path: Path) -> frozenset[str]:
    """Return which files of ours a file imports, by name."""
    found = set()
    for full in imports(path):
        parts = full.split(".")
        if parts[0] != "jay":
            continue
        longest = (("/").join(parts[1:end]) for end in range(len(parts), 1, -1))
        found |= {next((name for name in longest if name in BY_NAME), "/".join(parts[1:2]))}
    return frozenset(found)


def reached(path: Path) -> frozenset[str]:
    """Return the files of ours that are imported by a file, by those, and so on."""
    seen: set[str] = set()
    left = [*ours(path)]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in BY_NAME:
            left += ours(BY_NAME[name])
    return frozenset(seen)


def package_of(name: str) -> str:
    return name.split("/", maxsplit=1)[0]


def libraries(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def called(path: Path) -> set[str]:
    """Return the names that a file calls: ``a.b()`` gives ``b`` and ``a.b``."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            names |= {name, name.rsplit(".", maxsplit=1)[-1]}
    return names


def camel_case_keys(path: Path) -> Iterator[str]:
    """Yield the keys of dictionaries that are written as the wire has them."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    head = key.value
                    if head[:1].islower() and any(letter.isupper() for letter in head):
                        yield head


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    names = [name for name in sorted(BY_NAME) if KIND_OF.get(name) in kinds]
    return pytest.mark.parametrize("name", names)


every_file = pytest.mark.parametrize("name", sorted(BY_NAME))


def test_every_file_has_one_kind_and_every_kind_its_files() -> None:
    listed = [name for names in KINDS.values() for name in names.split()]

    assert sorted(listed) == sorted(BY_NAME)


def test_every_package_has_its_place_in_the_order() -> None:
    assert sorted({package_of(name) for name in BY_NAME}) == sorted(ORDER)


def test_at_most_six_modules_are_loose() -> None:
    loose = [name for name in BY_NAME if "/" not in name and name != "__init__"]

    assert len(loose) <= 6, loose


@every_file
def test_a_package_imports_only_what_stands_left_of_it(name: str) -> None:
    own = package_of(name)
    allowed = {*ORDER[: ORDER.index(own)], own}

    assert {package_of(used) for used in ours(BY_NAME[name])} - allowed == set()


@every_file
def test_nothing_imports_the_package_as_a_whole(name: str) -> None:
    # `import jay` would give everybody create_app, and with it a circle.
    assert "jay" not in {full for full in imports(BY_NAME[name]) if "." not in full}
    assert not {"jay.create_app", "jay.make_ready"} & imports(BY_NAME[name])


@every_file
def test_no_import_hides_inside_a_function(name: str) -> None:
    inside = [
        ast.unparse(node)
        for function in ast.walk(tree(BY_NAME[name]))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


@of_kind(MODEL, SERVICE)
def test_no_rule_knows_flask_nor_schemas_not_even_through_a_helper(name: str) -> None:
    path = BY_NAME[name]
    met = {name: path, **{used: BY_NAME[used] for used in reached(path) if used in BY_NAME}}

    with_flask = [one for one, file in met.items() if libraries(file) & {"flask", "flask_smorest"}]
    assert with_flask == []
    assert [one for one in met if KIND_OF[one] in {SCHEMA, EDGE}] == []
    assert libraries(path) & {"marshmallow", "webargs"} == set()


@of_kind(MODEL)
def test_models_know_neither_the_clock_nor_a_connection(name: str) -> None:
    path = BY_NAME[name]

    assert {"jay.clock.system_clock", "sqlalchemy.Connection"} & imports(path) == set()
    assert called(path) & DOORS == set()


@of_kind(MODEL, SERVICE)
def test_models_and_services_do_not_write_as_the_wire_does(name: str) -> None:
    assert list(camel_case_keys(BY_NAME[name])) == []


@of_kind(SERVICE)
def test_services_borrow_their_transaction(name: str) -> None:
    assert called(BY_NAME[name]) & DOORS == set()


@of_kind(SCHEMA)
def test_schemas_know_no_database_and_no_user(name: str) -> None:
    path = BY_NAME[name]

    assert libraries(path) & {"flask", "sqlalchemy"} == set()
    assert [one for one in ours(path) if KIND_OF[one] in {SERVICE, EDGE}] == []
    assert [one for one in ours(path) if one.startswith("db")] == []


@of_kind(EDGE)
def test_edges_write_no_sql(name: str) -> None:
    assert {f"sqlalchemy.{one}" for one in STATEMENTS} & imports(BY_NAME[name]) == set()


@of_kind(EDGE)
def test_edges_know_no_other_features_edges_but_those_that_are_lent(name: str) -> None:
    if name in {"__init__", "ops/commands"}:  # what an app and its commands are made of
        return
    own = package_of(name)
    others = {
        one
        for one in ours(BY_NAME[name])
        if KIND_OF.get(one) == EDGE and package_of(one) not in {own, "web", "db"}
    }

    assert others - LENT == set()


@of_kind(ADAPTER)
def test_adapters_know_no_rules_of_a_feature(name: str) -> None:
    own = package_of(name)
    others = {
        one
        for one in ours(BY_NAME[name])
        if KIND_OF.get(one) in {SERVICE, SCHEMA, EDGE} and package_of(one) != own
    }

    assert others == set()


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - {"clock"}))
def test_only_one_module_reads_the_system_clock(name: str) -> None:
    # func.now() would be the database's clock: no better. web.now() is the app's own.
    readers = {"utcnow", "today", "datetime.now", "func.now", "time.time", "time.time_ns"}

    assert called(BY_NAME[name]) & (readers | {"localtime"}) == set()


def test_the_clock_module_does_read_it() -> None:
    assert "datetime.now" in called(JAY / "clock.py")


@pytest.mark.parametrize("name", ["app.py", "wsgi.py"])
def test_the_entries_are_ten_lines_or_fewer(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= 10


def test_fixtures_that_test_modules_share_stand_in_a_conftest() -> None:
    # An imported one looks unused, and as if each test that takes it defined it again.
    borrowed = re.compile(
        r"^from (tests\.\w+)\.(test_\w+) import (\([\w\s,]+\)|[\w ,]+)$", re.MULTILINE
    )
    fixture = re.compile(r"^@pytest\.fixture.*\ndef (\w+)", re.MULTILINE)

    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "tests").rglob("*.py")
        for folder, module, names in borrowed.findall(path.read_text())
        for name in re.findall(r"\w+", names)
        if name in fixture.findall((ROOT / folder.replace(".", "/") / f"{module}.py").read_text())
    ]

    assert found == []
