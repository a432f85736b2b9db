"""What a person has removed, kept in the page that offers to take it back.

The page's form carries the whole entry, signed: so the offer outlives later changes and works
whatever the catalogue says by then, and nothing can be put in that was not there before.
"""

from dataclasses import asdict, dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from jay import web
from jay.baskets.models import Basket, Entry
from jay.sealing import hash_secret, signing


@dataclass(frozen=True)
class Removed:
    """An entry that was taken out, and where its list held it."""

    name: str
    count: int
    price: int | None
    currency: str | None

    @classmethod
    def of(cls, entry: Entry, name: str) -> "Removed":
        """Describe an entry that is about to be taken out."""
        return cls(name, entry.count, entry.price, entry.currency)

    def told(self) -> dict[str, str | int | None]:
        """Write it for the session."""
        return asdict(self)


def keep(removed: Removed, product_id: str, place: int, basket: Basket) -> str:
    """Return what the form that takes it back carries."""
    content = [_name_of(basket), product_id, removed.count, removed.price, removed.currency, place]
    return _signer().dumps(content)


def kept(sent: str, product_id: str, basket: Basket) -> tuple[Entry, int] | None:
    """Return the entry that a form has kept, and its place; None for anything else."""
    try:
        of_basket, identifier, count, price, currency, place = _signer().loads(sent)
    except BadSignature:
        return None
    if (of_basket, identifier) != (_name_of(basket), product_id):
        return None
    return Entry(identifier, count, price, currency), place


def _name_of(basket: Basket) -> str:
    return hash_secret(basket.id)[:12]


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing(web.settings().secret_key), salt="undo")
