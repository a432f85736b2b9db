"""The demo's signed-in viewer: tokens as the demo partner's identity provider would sign them.

The key pair is derived from the service's own secret: nothing that signs is published.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import OKPKey

from jay.auth.signatures import REGISTRIES

ALGORITHM = "EdDSA"
KID = "demo"
LIFETIME = timedelta(hours=12)


def key_set(secret: str) -> dict[str, Any]:
    """Return the public keys (a JWK set) that the demo partner's tokens are checked with.

    :param secret: JAY_SECRET_KEY.
    """
    return {"keys": [{**_key(secret).as_dict(private=False), "kid": KID}]}


def token(secret: str, user: str, *, now: datetime) -> str:
    """Sign a partner token for a viewer; it is valid for 12 hours.

    :param secret: JAY_SECRET_KEY.
    """
    claims = {
        "sub": user,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    header = {"alg": ALGORITHM, "kid": KID}
    return jwt.encode(header, claims, _key(secret), registry=REGISTRIES[ALGORITHM])


def _key(secret: str) -> OKPKey:
    seed = hashlib.sha256("\0".join(("jay", "demo viewer", secret)).encode()).digest()
    private = Ed25519PrivateKey.from_private_bytes(seed)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return OKPKey.import_key(pem)
