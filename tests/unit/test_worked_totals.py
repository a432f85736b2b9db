"""Totals that were worked out by hand: the table says what each cart comes to.

A product is written ``count x price @VAT``, then what is not the usual: ``o`` the lowest price of
the 30 days before, ``f`` flat rate, ``i`` per item and ``s<start>:<price>`` steps of its shipping,
``/2`` another merchant. A merchant is written with its strategy and the steps of its scale by
order value.
"""

import re
from itertools import permutations
from typing import Any, NamedTuple

import pytest

from jay.baskets.totals import Totals, totals
from jay.merchants.models import Merchant
from jay.products.models import Product
from tests.unit.makers import a_merchant, a_product

# products | merchants | goods, shipping, tax, saving
WORKED = """
one piece, and many
1x1190@19                                  |                 |     1190      0     190    0
3x1190@19                                  |                 |     3570      0     570    0
999x1@19                                   |                 |      999      0     160    0
1x0@19                                     |                 |        0      0       0    0
1x1@19                                     |                 |        1      0       0    0
1x3@19                                     |                 |        3      0       0    0
1x4@19                                     |                 |        4      0       1    0
999x2147483647@19                          |                 | 2145336163353 0 342532664737 0

rates: none, reduced, odd ones, and half a cent
1x1000@0                                   |                 |     1000      0       0    0
1x1070@7                                   |                 |     1070      0      70    0
1x1000@7                                   |                 |     1000      0      65    0
1x1000@5.5                                 |                 |     1000      0      52    0
1x1000@8.1                                 |                 |     1000      0      75    0
1x1000@2.6                                 |                 |     1000      0      25    0
1x1000@20                                  |                 |     1000      0     167    0
1x1000@25.5                                |                 |     1000      0     203    0
1x64@2.4                                   |                 |       64      0       2    0
1x3@100                                    |                 |        3      0       2    0
1x5@100                                    |                 |        5      0       3    0
1x21@5                                     |                 |       21      0       1    0
1x63@5                                     |                 |       63      0       3    0

tax is rounded a position, so three pins have none of their own
3x2@19                                     |                 |        6      0       1    0
1x2@19 1x2@19 1x2@19                       |                 |        6      0       0    0
1x1070@7 1x1190@19                         |                 |     2260      0     260    0
1x1000@7 1x1000@19 1x1000@0                |                 |     3000      0     225    0

savings: a lower price counts, a higher one does not
1x1250@19o1500                             |                 |     1250      0     200  250
2x1250@19o1500                             |                 |     2500      0     399  500
1x1250@19o1250                             |                 |     1250      0     200    0
1x1250@19o1000                             |                 |     1250      0     200    0
1x1250@19o1500 1x800@7o1000                |                 |     2050      0     252  450

shipping of one product: flat, per item, steps, and all of them
1x11900@19f1190                            |                 |    11900   1190    2090    0
2x11900@19f1190                            |                 |    23800   1190    3990    0
3x1190@19i119                              |                 |     3570    357     627    0
3x1190@19f238i119                          |                 |     3570    595     665    0
1x1190@19s1:500s3:900                      |                 |     1190    500     270    0
2x1190@19s1:500s3:900                      |                 |     2380    500     460    0
3x1190@19s1:500s3:900                      |                 |     3570    900     714    0
2x1190@19s3:900                            |                 |     2380      0     380    0
4x1190@19s2:100s2:700                      |                 |     4760    100     776    0
4x1190@19f100i10s4:60                      |                 |     4760    200     792    0
2x1000@7f500                               |                 |     2000    500     164    0

the dearest of several is charged, at its own rate; of equals, at the higher rate
1x1000@7f500 1x1000@19f300                 |                 |     2000    500     258    0
1x1000@7f300 1x1000@19f500                 |                 |     2000    500     305    0
1x1000@7f500 1x1000@19f500                 |                 |     2000    500     305    0
1x1000@7 1x1000@19                         |                 |     2000      0     225    0

all are charged, each at its own rate
1x1000@7f500 1x1000@19f300                 | SUM             |     2000    800     306    0
1x1000@7f1 1x1000@19f1                     | SUM             |     2000      2     225    0
2x1000@7i50 3x1000@19i70                   | SUM             |     5000    310     651    0

a merchant's scale goes by the value of its goods, and takes the highest rate
1x1190@19                                  | MAX 0:595       |     1190    595     285    0
1x1190@19                                  | MAX 0:595 1190:0 |    1190      0     190    0
1x1189@19                                  | MAX 0:595 1190:0 |    1189    595     285    0
1x1070@7 1x1190@19                         | MAX 0:595       |     2260    595     355    0
1x1070@7f107 1x1190@19                     | MAX 0:595       |     2260    702     362    0
1x1070@7f107 1x1190@19f119                 | SUM 0:595       |     2260    821     381    0
1x1190@19                                  | MAX 2000:595    |     1190      0     190    0
1x1190@19                                  | MAX 0:595 0:100 |     1190    595     285    0

several merchants: each ships by its own rule
1x1190@19f119 1x1190@19f238/2              |                 |     2380    357     437    0
1x1190@19f119 1x1190@19f238 1x1190@19f119/2 | SUM, MAX       |     3570    476     646    0
1x4000@19 1x4000@19/2                      | MAX 0:595 5000:0, MAX 0:595 4000:0 | 8000 595 1373 0
1x1070@7/2 1x1190@19 2x1070@7/2            | MAX, MAX 0:107  |     4400    107     407    0

yen have no decimals, dinars three: an amount is an integer of the smallest
1x1100@10                                  | JPY             |     1100      0     100    0
3x105@8f500                                | JPY             |      315    500      60    0
1x12345@5                                  | KWD             |    12345      0     588    0
7x12345@5f1999i1                           | KWD             |    86415   2006    4211    0
1x25000000000@11                           | IDR             | 25000000000   0 2477477477 0
"""

_PRODUCT = re.compile(
    r"(\d+)x(\d+)@([\d.]+)(?:o(\d+))?(?:f(\d+))?(?:i(\d+))?((?:s\d+:\d+)*)(?:/(\d))?"
)


class Case(NamedTuple):
    """A cart, and what it comes to."""

    text: str
    positions: list[tuple[Product, int]]
    merchants: dict[int, Merchant]
    goods: int
    shipping: int
    tax: int
    saving: int


def cases() -> list[Case]:
    return [case(line) for line in WORKED.splitlines() if "|" in line]


def case(line: str) -> Case:
    carts, shops, sums = (part.strip() for part in line.split("|"))
    currency = shops if re.fullmatch(r"[A-Z]{3}", shops) and shops not in {"SUM", "MAX"} else "EUR"
    merchants = {number: a_merchant(number) for number in (1, 2)}
    for number, text in enumerate(shops.split(",") if shops and shops != currency else (), 1):
        strategy, *steps = text.split()
        scale = tuple(
            {"orderPriceStart": int(start), "shippingCost": int(cost)}
            for start, cost in (step.split(":") for step in steps)
        )
        merchants[number] = a_merchant(number, shipping_strategy=strategy, shipping_scale=scale)
    positions = [position(n, text, currency) for n, text in enumerate(carts.split())]
    return Case(line, positions, merchants, *map(int, sums.split()))


def position(number: int, text: str, currency: str) -> tuple[Product, int]:
    found = _PRODUCT.fullmatch(text)
    assert found, text
    count, price, vat, original, flat, item, steps, shop = found.groups()
    shipping: dict[str, Any] = {
        "shippingFlatRate": int(flat or 0),
        "shippingPerItem": int(item or 0),
        "shippingScale": [
            {"start": int(start), "price": int(cost)}
            for start, cost in re.findall(r"s(\d+):(\d+)", steps)
        ],
    }
    made = a_product(
        f"product-{number}",
        merchant_id=int(shop or 1),
        price=int(price),
        lowest_price=int(original or price),
        vat=float(vat),
        currency=currency,
        shipping=shipping,
    )
    return made, int(count)


def add_up(case: Case, positions: Any = None) -> Totals:
    sums = totals(positions or case.positions, case.merchants)
    assert sums is not None
    return sums


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.text.split("|")[0].strip())
def test_a_cart_comes_to_what_was_worked_out(case: Case) -> None:
    sums = add_up(case)

    assert (sums.goods, sums.shipping, sums.tax, sums.saving) == case[3:]
    assert sums.total == case.goods + case.shipping
    # Nor does the order of the products change it.
    for positions in permutations(case.positions):
        again = add_up(case, positions)
        assert (again.goods, again.shipping, again.tax, again.saving) == case[3:]
