"""Partners' public keys, read from PEM or JWK set files (RFC 7517)."""

from collections.abc import Iterable
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from jay.partners.models import ALGORITHMS

MIN_RSA_BITS = 2048
_ALGORITHMS_OF_TYPE = {"RSA": ("RS256", "PS256"), "EC": ("ES256",), "OKP": ("EdDSA",)}


class UnusableKey(ValueError):
    """A key is private, too weak or of a kind that no allowed algorithm uses."""


def public_keys(document: Any) -> list[Key]:
    """Read a JWK set (RFC 7517) or a single JWK and return the keys that can verify signatures.

    Keys of other kinds in the set are passed over, as RFC 7517 section 5 asks.

    :raises UnusableKey: there is no usable key in it, or a private one.
    """
    entries = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UnusableKey("this is not a JWK set")
    keys = []
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        if "d" in entry or "k" in entry:
            raise UnusableKey("this holds a private key: only public keys belong here")
        try:
            # Not through a KeySet: that would give a key without an id one of its own.
            keys.append(usable(JWKRegistry.import_key(entry)))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not keys:
        raise UnusableKey("there is no RSA, EC P-256 or Ed25519 public key in it")
    return keys


def pem_key(pem: bytes) -> Key:
    """Read one public key in PEM (SubjectPublicKeyInfo).

    :raises UnusableKey: it is private, too weak, or no allowed algorithm uses it.
    """
    if b"PRIVATE" in pem:
        raise UnusableKey("this is a private key: only the public one belongs here")
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return usable(kind.import_key(pem))
        except UnusableKey:
            raise
        except (JoseError, ValueError, TypeError, AttributeError):
            continue
    raise UnusableKey("this is no RSA, EC P-256 or Ed25519 public key in PEM")


def usable(key: Key) -> Key:
    """Return the key if one of the allowed algorithms can use it.

    :raises UnusableKey: it can't, or it is too weak (RFC 8725 section 3.5).
    """
    if isinstance(key, RSAKey) and key.raw_value.key_size >= MIN_RSA_BITS:
        return key
    if isinstance(key, ECKey) and key.curve_name == "P-256":
        return key
    if isinstance(key, OKPKey) and key.curve_name == "Ed25519":
        return key
    raise UnusableKey("use RSA with 2048 bits or more, EC P-256 or Ed25519")


def algorithms_for(keys: Iterable[Key]) -> list[str]:
    """Return the algorithms that these keys can verify, in the house's order."""
    possible = {name for key in keys for name in _ALGORITHMS_OF_TYPE[key.key_type]}
    return [name for name in ALGORITHMS if name in possible]


def keys_for(keys: Iterable[Key], algorithm: str, kid: str | None) -> list[Key]:
    """Return the keys that may have signed a token with this header.

    A key without an id of its own, such as one from a PEM file, fits every ``kid``.
    """
    return [
        key
        for key in keys
        if algorithm in _ALGORITHMS_OF_TYPE[key.key_type]
        and key.get("alg", algorithm) == algorithm  # type: ignore[no-untyped-call,unused-ignore]
        and (kid is None or key.kid is None or key.kid == kid)
    ]
