"""A basket that is deleted and begun anew counts its versions from 1 again."""

import pytest
from flask import Flask

from jay import db
from jay.auth.models import User as Caller
from jay.baskets import service
from jay.db.database import Conflict
from jay.partners.service import partner_id
from tests.builders import Shop, User
from tests.clock import NOON


def test_a_write_that_began_before_does_not_overwrite_the_new_basket(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    alice.put(mug)
    with app.app_context(), db.reading() as connection:
        identifier = partner_id(connection, alice.platform.name)
        assert identifier is not None
        caller = Caller(identifier, alice.id, guest=False, basket=None, expires=0)
        late = service.open_for_writing(connection, caller, now=NOON)
    alice.call("DELETE")
    alice.put(hat)

    with app.app_context(), db.transaction() as connection, pytest.raises(Conflict):
        service.apply(connection, late, mug, count=3, now=NOON)

    assert alice.cart() == {hat: 1}
