"""The ways by which merchants get their orders: folders beside each other, of one shape."""

from importlib import import_module
from pathlib import Path

import jay.connectors
from jay.connectors.handing import CONNECTORS
from jay.orders.handover import TYPES


def test_each_folder_is_a_connector_of_its_name() -> None:
    (root,) = jay.connectors.__path__
    folders = sorted(one.parent.name for one in Path(root).glob("*/__init__.py"))

    assert sorted(one.name for one in CONNECTORS) == folders
    for one in CONNECTORS:
        module = import_module(f"jay.connectors.{one.name}.connector")
        assert getattr(module, one.name.upper()) is one


def test_no_two_are_mistaken_for_each_other_in_the_outbox() -> None:
    told = [f"{one.prefix}{kind}" for one in CONNECTORS if one.prefix for kind in TYPES.values()]

    assert len(told) == len(set(told)) == (len(CONNECTORS) - 1) * len(TYPES)
