"""The order of the house: each package imports only what stands left of it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JAY = ROOT / "jay"

ORDER = (
    *("errors", "clock", "i18n", "sealing", "config"),
    *("db", "web", "tracking"),
    *("merchants", "partners", "auth", "operators", "playouts", "outbox"),
    *("products", "feeds", "checkout", "baskets", "guests", "transfers", "kiosk"),
    *("ops", "__init__"),
)
FILES = sorted(JAY.rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a file imports, at whatever depth."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(path: Path) -> set[str]:
    """Return which packages of ours a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("jay.")}


def package_of(path: Path) -> str:
    return path.relative_to(JAY).parts[0].removesuffix(".py")


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


def of_kind(kind: str) -> list[Path]:
    return [path for path in FILES if path.stem == kind and path.parent != JAY]


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(JAY)))


def test_every_package_has_its_place_in_the_order() -> None:
    assert sorted({package_of(path) for path in FILES}) == sorted(ORDER)


@named(FILES)
def test_a_package_imports_only_what_stands_left_of_it(path: Path) -> None:
    own = package_of(path)
    allowed = {*ORDER[: ORDER.index(own)], own}

    assert packages(path) - allowed == set()


@named(FILES)
def test_nothing_imports_the_package_as_a_whole(path: Path) -> None:
    # `import jay` would give everybody create_app, and with it a circle.
    assert "jay" not in {name for name in imports(path) if "." not in name}
    assert not {"jay.create_app", "jay.make_ready"} & set(imports(path))


@named(FILES)
def test_no_import_hides_inside_a_function(path: Path) -> None:
    inside = [
        ast.unparse(node)
        for function in ast.walk(tree(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


@named(of_kind("models"))
def test_models_know_neither_flask_nor_marshmallow_nor_the_clock(path: Path) -> None:
    assert libraries(path) & {"flask", "flask_smorest", "werkzeug", "marshmallow"} == set()
    assert packages(path) & {"web", "pages", "answers", "schema"} == set()
    assert "jay.clock.system_clock" not in set(imports(path))
    assert called(path) & {"transaction", "reading"} == set()


@named(of_kind("service"))
def test_services_know_neither_flask_nor_schemas(path: Path) -> None:
    assert libraries(path) & {"flask", "flask_smorest", "werkzeug", "marshmallow"} == set()
    assert packages(path) & {"web", "pages", "answers", "schema"} == set()
    assert [name for name in imports(path) if ".schemas" in name] == []


@named(of_kind("service"))
def test_services_borrow_their_transaction(path: Path) -> None:
    borrowed = {"commit", "rollback", "begin", "transaction", "reading", "connect"}

    assert called(path) & borrowed == set()


@named(of_kind("schemas"))
def test_schemas_know_no_database_and_no_user(path: Path) -> None:
    assert libraries(path) & {"flask", "sqlalchemy"} == set()
    assert packages(path) & {"db", "web", "pages"} == set()
    assert [name for name in imports(path) if re.search(r"\.(service|guards|tokens)\b", name)] == []


@named([path for kind in ("routes", "pages", "cli") for path in of_kind(kind)])
def test_the_edges_write_no_sql_and_know_no_other_features_routes(path: Path) -> None:
    own = package_of(path)
    elsewhere = [
        name
        for name in imports(path)
        if re.fullmatch(r"jay\.\w+\.(routes|cli|pages|kiosk)\.\w+", name)
        and not name.startswith(f"jay.{own}.")
    ]

    assert elsewhere == []
    statements = {"select", "insert", "update", "delete", "text"}
    assert {f"sqlalchemy.{name}" for name in statements} & set(imports(path)) == set()


@named([path for path in FILES if path != JAY / "clock.py"])
def test_only_one_module_reads_the_system_clock(path: Path) -> None:
    readers = {"now", "utcnow", "today", "datetime.now", "time.time", "time.time_ns", "localtime"}

    # func.now() would be the database's clock: no better.
    assert called(path) & readers == set()


def test_the_clock_module_does_read_it() -> None:
    assert "datetime.now" in called(JAY / "clock.py")


@pytest.mark.parametrize("name", ["app.py", "wsgi.py"])
def test_the_entries_are_ten_lines_or_fewer(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= 10
