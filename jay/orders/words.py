"""The words that the law prescribes for withdrawing (BGB 356a, CRD Art. 11a), here alone.

They are no texts to be translated: what they say decides whether the function is there at all.
"""

PATHS = {"de": "/widerruf", "en": "/withdraw"}
"""Where a contract can be withdrawn from, by the language of the page."""

_WITHDRAW = {"de": "Vertrag widerrufen", "en": "Withdraw from contract"}
_CONFIRM = {"de": "Widerruf bestätigen", "en": "Confirm withdrawal"}


def withdraw(lang: str) -> str:
    """Return what stands on the first button, and on every link that leads to it."""
    return _WITHDRAW.get(lang, _WITHDRAW["en"])


def confirm(lang: str) -> str:
    """Return what stands on the second button, with which it is declared."""
    return _CONFIRM.get(lang, _CONFIRM["en"])


def path(lang: str) -> str:
    """Return where the function is."""
    return PATHS.get(lang, PATHS["en"])
