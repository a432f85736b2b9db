"""What is stored of a product so that it is found, and how a search is read.

Case and accents don't count: ``ärmel``, ``Armel`` and ``ÄRMEL`` are the same word.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MAX_BYTES = 1_700
"""What is stored of one product. With the id, an entry of PostgreSQL's index holds 2,700 bytes."""

MAX_QUERY = 200
MAX_WORDS = 8

_PRODUCT_ID = re.compile(
    r"(?P<merchant>[a-z0-9-]{1,40})/(?P<lang>[a-z]{2})-(?P<country>[a-z]{2})/(?P<sku>.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Query:
    """What somebody looks for: products that hold all words, perhaps of one merchant and locale."""

    words: tuple[str, ...] = ()
    merchant: str | None = None
    lang: str | None = None
    country: str | None = None


def fold(text: str) -> str:
    """Write a text as it is compared: without case, accents and repeated spaces."""
    plain = text.replace("\0", " ")
    if plain.isascii():
        return " ".join(plain.lower().split())
    decomposed = unicodedata.normalize("NFKD", plain)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split())


def search_text(*, name: str, brand: str, sku: str, variants: Iterable[str] = ()) -> str:
    """Return what is stored of a main product so that it is found.

    It begins with the name, so that it also is what pages are sorted by. Of a product with very
    many variants the SKUs of the last ones may not fit in.

    :param variants: their SKUs.
    """
    text = fold(" ".join((name, brand, sku, *variants)))
    if len(text) <= MAX_BYTES and text.isascii():
        return text
    return text.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")


def read_query(typed: str) -> Query:
    """Read what somebody has typed: words, or a product id or its beginning.

    What is far too long is cut, and nothing is an error.
    """
    typed = typed.strip()[:MAX_QUERY]
    found = _PRODUCT_ID.fullmatch(typed)
    if found is None:
        return Query(tuple(dict.fromkeys(fold(typed).split()))[:MAX_WORDS])
    sku = fold(found["sku"])
    return Query(
        words=(sku,) if sku else (),
        merchant=found["merchant"].lower(),
        lang=found["lang"].lower(),
        country=found["country"].upper(),
    )
