"""``/.well-known/jwks.json``: the keys that verify guest tokens."""

from flask import Blueprint

from jay.auth.guards import doorkeeper

blp = Blueprint("auth", __name__)


@blp.get("/.well-known/jwks.json")
def key_set() -> dict[str, object]:
    """Publish the public keys that verify guest tokens (RFC 7517)."""
    return doorkeeper().tokens.guest_keys.key_set()
