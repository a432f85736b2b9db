"""How many examples a property test tries: few in each run, many in the deep one."""

import os


def examples(few: int, many: int) -> int:
    """Return ``many`` where ``JAY_TESTS=deep`` is set, else ``few``."""
    return many if os.environ.get("JAY_TESTS") == "deep" else few
