"""Demo data: a partner with a kiosk, a merchant, and 24 products in German and in English."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, func, inspect, select, update

from jay.auth import service as auth
from jay.auth.models import api_keys
from jay.config import Settings
from jay.legal import service as legal
from jay.legal.models import THE_OPERATOR, legal_texts
from jay.merchants import service as merchants
from jay.merchants.models import merchants as merchants_table
from jay.operators.models import operators
from jay.ops import demo_legal, removal
from jay.partners import service as partners
from jay.partners.models import partners as partners_table
from jay.products.bulk import Put, put_many
from jay.products.models import products

PARTNER, PARTNER_KEY = "demo", "demo-basket-key"
MERCHANT, MERCHANT_KEY = "demo-shop", "demo-shop-key"
VARIANT = "NORD-HOODIE-01-S"
"""What the printed request puts into a basket."""

BEFORE = timedelta(days=40)
"""So long the demo's products were there before they cost what they do."""

_LOOPBACK = ("127.0.0.1", "[::1]")


def load(
    connection: Connection,
    catalogue: Iterable[Put],
    *,
    public_url: str,
    viewer_keys: dict[str, Any],
    now: datetime,
) -> None:
    """Load the demo data where it is missing; what was changed since stays changed.

    :param viewer_keys: a JWK set, with which tokens of the demo's viewer are checked.
    """
    if partners.partner_id(connection, PARTNER) is None:
        partner = partners.add_partner(
            connection,
            name=PARTNER,
            display_name="Kino Nord",
            colour="#3d5af1",
            transfer_origins=_shops(public_url),
            # And a web app on this machine may call the Basket API from a browser.
            cors_origins=["http://127.0.0.1:9000", "http://localhost:9000"],
            kiosk=True,
            now=now,
        )
        auth.store_key(connection, PARTNER_KEY, "demo-basket", partner=partner, demo=True, now=now)
        for (kind, lang), text in demo_legal.TEXTS.items():
            legal.put(connection, THE_OPERATOR, kind, lang, url=None, text=text, now=now)
    _let_viewers_sign_in(connection, viewer_keys)
    _let_shops_redeem(connection, public_url)
    identifier = merchants.merchant_id(connection, MERCHANT)
    if identifier is not None:
        _move_pictures(connection, identifier, public_url)
        _let_sell(connection, identifier, now=now)
        return
    identifier = merchants.add_merchant(
        connection,
        name=MERCHANT,
        lang="de",
        country="DE",
        currency="EUR",
        now=now,
        display_name="Hafenlicht",
    )
    auth.store_key(connection, MERCHANT_KEY, "demo-shop", merchant=identifier, demo=True, now=now)
    _let_sell(connection, identifier, now=now)
    merchant = merchants.merchant_by_id(connection, identifier)
    for number, product in enumerate(catalogue):
        # One after the other, as a kiosk shows them.
        at = now + timedelta(milliseconds=number)
        put_many(connection, merchant, [_before(product)], now=at - BEFORE)
        put_many(connection, merchant, [product], now=at)


def _before(product: Put) -> Put:
    """Return a product as it was before it was reduced: without that, no reduction is told of."""
    main = product.main
    if main is None:
        return product
    return replace(
        product,
        main={**main, "volatile": _whole(main["volatile"])},
        variants=[_whole(one) for one in product.variants],
    )


def _whole(offer: Mapping[str, Any]) -> Mapping[str, Any]:
    before = offer.get("org_price")
    return offer if before is None else {**offer, "price": before}


def is_at_home(connection: Connection) -> bool:
    """Tell whether demo data may be put here: nothing was set up yet, or a demo was.

    Older schemas are asked, too: this comes before they are brought up to date.
    """
    if not inspect(connection).has_table(api_keys.name):
        return True
    count = select(func.count()).select_from
    if connection.execute(count(api_keys).where(api_keys.c.demo)).scalar_one():
        return True
    return not any(
        connection.execute(count(table)).scalar_one()
        for table in (partners_table, merchants_table, operators)
        if inspect(connection).has_table(table.name)
    )


def owners(connection: Connection) -> list[tuple[removal.Owner, int]]:
    """Return the partner and the merchant that the demo has brought along, if they are there."""
    query = select(api_keys.c.partner_id, api_keys.c.merchant_id).where(api_keys.c.demo).distinct()
    return [
        (removal.PARTNER, row.partner_id)
        if row.partner_id is not None
        else (removal.MERCHANT, row.merchant_id)
        for row in connection.execute(query)
    ]


def forget(connection: Connection, found: Iterable[tuple[removal.Owner, int]]) -> None:
    """Delete what the demo has brought along; of texts, those that are still its own."""
    for owner, identifier in found:
        removal.erase(connection, owner, identifier)
    mine = (
        legal_texts.c.owner == THE_OPERATOR.kind,
        legal_texts.c.text.in_(demo_legal.TEXTS.values()),
    )
    connection.execute(delete(legal_texts).where(*mine))


def _shops(public_url: str) -> list[str]:
    """Return the origins of web shops that may redeem: such as the one in the README, and ours."""
    return ["http://127.0.0.1:9000", "http://localhost:9000", public_url]


def _let_shops_redeem(connection: Connection, public_url: str) -> None:
    """Let the demo's own web shops follow the public URL, when it was changed since."""
    column = partners_table.c.transfer_origins
    this = partners_table.c.name == PARTNER
    known = connection.execute(select(column).where(this)).scalar_one() or []
    if public_url not in known:
        connection.execute(
            update(partners_table).where(this).values({column: [*known, public_url]})
        )


def _let_viewers_sign_in(connection: Connection, wanted: dict[str, Any]) -> None:
    """Register the key of the demo's viewer, unless the partner has got keys of its own."""
    row = connection.execute(
        select(partners_table.c.id, partners_table.c.jwks, partners_table.c.jwks_url).where(
            partners_table.c.name == PARTNER
        )
    ).one()
    kids = [{key.get("kid") for key in (keys or {}).get("keys", ())} for keys in (row.jwks, wanted)]
    if kids[0] <= kids[1] and row.jwks_url is None and row.jwks != wanted:
        connection.execute(
            update(partners_table)
            .where(partners_table.c.id == row.id)
            .values(jwks=wanted, algorithms=["EdDSA"])
        )


def _let_sell(connection: Connection, merchant: int, *, now: datetime) -> None:
    """Tell who the demo's merchant is by law, and what holds, unless something was told."""
    if merchants.merchant_by_id(connection, merchant).legal:
        return
    told = {"legal": demo_legal.SELLER, "delivery_countries": list(demo_legal.COUNTRIES)}
    merchants.change_merchant(connection, merchant, told)
    legal.put_merchants(connection, merchant, demo_legal.SELLERS_TEXTS, now=now)


def _move_pictures(connection: Connection, merchant: int, public_url: str) -> None:
    """Let the demo pictures follow the public URL, when it was changed since the first start."""
    query = select(products.c.id, products.c.description).where(
        products.c.merchant_id == merchant, products.c.description.is_not(None)
    )
    for identifier, description in connection.execute(query).all():
        images = description.get("images") or []
        moved = [
            {**image, "url": public_url + urlsplit(image["url"]).path}
            if urlsplit(image["url"]).path.startswith("/static/demo/")
            else image
            for image in images
        ]
        if moved != images:
            connection.execute(
                update(products)
                .where(products.c.id == identifier)
                .values(description={**description, "images": moved})
            )


def welcome(settings: Settings, lan_address: str | None) -> str:
    """Return what ``make run`` prints: addresses to open and a curl to paste.

    :param lan_address: at which a phone in the same network reaches this machine.
    """
    public = settings.public_url
    phones = ""
    if lan_address is not None and settings.bind_host in _LOOPBACK:
        phones = f"""
  A phone in the same network can't reach that address: for its camera, start with

    make run LAN=1        the code then leads to http://{lan_address}:{settings.port}
"""
    product = f"{MERCHANT}/de-DE/{VARIANT}"
    return f"""
  Jay Basket is starting with demo data. Open

    {public}/kiosk        pick products like on a TV, then scan the code
    {public}/catalogue    what there is, with prices, stock and ids to copy
    {public}/docs         the API documentation

  or paste this, which makes a basket the way a TV app does:

    curl -sS -X POST {public}/v2/baskets/guests \\
      -H 'X-API-Key: {PARTNER_KEY}' -H 'Content-Type: application/json' \\
      -d '{{"products": [{{"productId": "{product}"}}]}}'

  A transfer may lead to a web shop instead of a phone: {public}/demo/shops/de
  and {public}/demo/shops/en are two, for the "url" of POST .../transfer.
{phones}{_mails(settings)}
  Ctrl-C stops it.
"""


def _mails(settings: Settings) -> str:
    if settings.mail_server is not None:
        return f"  Mails are sent through {settings.mail_server.host}.\n"
    return f"  Mails are written to {settings.mail_folder}/*.eml: no JAY_SMTP_URL is set.\n"
