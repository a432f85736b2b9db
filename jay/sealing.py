"""Secrets that must be read again, such as private keys, are stored sealed (JWE, RFC 7516)."""

import base64
import hashlib
from collections.abc import Callable
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class WrongKey(Exception):
    """The sealed text was not made with this key."""


class Secret(str):
    """This service's secret, and those that it takes the place of: what they have sealed opens."""

    __slots__ = ("older",)
    older: tuple[str, ...]

    def __new__(cls, value: str, older: tuple[str, ...] = ()) -> "Secret":
        """Make one, with those that it takes the place of."""
        made = super().__new__(cls, value)
        made.older = older
        return made


def older_than(secret: str) -> tuple[str, ...]:
    """Return the secrets that this one takes the place of, the newest first."""
    return secret.older if isinstance(secret, Secret) else ()


def signing(secret: str) -> list[str]:
    """Return a secret as ``itsdangerous`` takes it: the last one signs, and older ones verify."""
    return [*reversed(older_than(secret)), str(secret)]


class Seal:
    """Seals with a key of 256 bits that is derived from secrets; each purpose has its own.

    :param secret: this service's. Of a ``Secret``, older ones open as well.
    :param more: what else the key depends on.
    """

    def __init__(self, purpose: str, secret: str, *more: str) -> None:
        digest = hashlib.sha256("\0".join(["jay", purpose, secret, *more]).encode()).digest()
        key = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        self._key = OctKey.import_key({"kty": "oct", "k": key})
        self._siv = AESSIV(digest)
        self._older = [Seal(purpose, one, *more) for one in older_than(secret)]

    def close(self, content: bytes) -> str:
        """Seal the content."""
        return jwe.encrypt_compact(_HEADER, content, self._key)

    def open(self, sealed: str) -> bytes:
        """Return the content.

        :raises WrongKey: it was sealed with another key, or changed since.
        """
        try:
            return jwe.decrypt_compact(sealed, self._key).plaintext or b""
        except JoseError as error:
            return self._by_older(lambda seal: seal.open(sealed), error)

    def renewed(self, sealed: str) -> str | None:
        """Seal anew what an older secret has sealed; None where the present one has.

        :raises WrongKey: it was sealed with another key, or changed since.
        """
        try:
            jwe.decrypt_compact(sealed, self._key)
        except JoseError:
            return self.close(self.open(sealed))
        return None

    def close_alike(self, content: bytes) -> str:
        """Seal the content so that the same content gives the same, short text (RFC 5297).

        It tells that two contents are the same, and nothing else about them.
        """
        return base64.urlsafe_b64encode(self._siv.encrypt(content, None)).decode().rstrip("=")

    def open_alike(self, sealed: str) -> bytes:
        """Return the content that ``close_alike`` has sealed.

        :raises WrongKey: it was sealed with another key, or changed since.
        """
        try:
            return self._siv.decrypt(base64.urlsafe_b64decode(sealed + "=="), None)
        except (InvalidTag, ValueError) as error:
            return self._by_older(lambda seal: seal.open_alike(sealed), error)

    def _by_older(self, opening: Callable[["Seal"], bytes], error: Exception) -> bytes:
        for seal in self._older:
            with suppress(WrongKey):
                return opening(seal)
        raise WrongKey from error


def hash_secret(secret: str) -> str:
    """Return what is stored of a key or token: its SHA-256, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
