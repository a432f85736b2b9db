"""Secrets that must be read again, such as private keys, are stored sealed (JWE, RFC 7516)."""

import base64
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class WrongKey(Exception):
    """The sealed text was not made with this key."""


class Seal:
    """Seals with a key of 256 bits that is derived from secrets; each purpose has its own."""

    def __init__(self, purpose: str, *secrets: str) -> None:
        digest = hashlib.sha256("\0".join(["jay", purpose, *secrets]).encode()).digest()
        key = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        self._key = OctKey.import_key({"kty": "oct", "k": key})
        self._siv = AESSIV(digest)

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
            raise WrongKey from error

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
            raise WrongKey from error


def hash_secret(secret: str) -> str:
    """Return what is stored of a key or token: its SHA-256, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
