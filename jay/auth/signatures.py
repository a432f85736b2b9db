"""What JOSE may do here: one algorithm at a time, and bounded sizes."""

from typing import Any

from joserfc import jws
from joserfc.errors import (
    UnsupportedAlgorithmError,
)

from jay.partners.models import ALGORITHMS

MAX_TOKEN_LENGTH = 8 * 1024


class _OneAlgorithm(jws.JWSRegistry):
    """Accepts a single algorithm, and header parameters that it does not know (RFC 7515, 4)."""

    max_header_length = MAX_TOKEN_LENGTH
    max_payload_length = MAX_TOKEN_LENGTH

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        # Without the library's warning that RFC 9864 renames EdDSA: the public contract, and
        # most identity providers, still say EdDSA.
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(f"{name} is not allowed")
        return self.algorithms[name]


REGISTRIES = {algorithm: _OneAlgorithm(algorithm) for algorithm in ALGORITHMS}
