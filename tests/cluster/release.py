"""A release: both nodes and the workers go over to new code, with a migration between.

The old code is what the repository held before its newest migration. Its pages have to say the
same as today's on the way from the TV to an order, which people go on meanwhile.
"""

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.parts import DEPLOY, Cluster
from tests.servers import ROOT

MIGRATIONS = "migrations/versions"


@contextlib.contextmanager
def code_of_before() -> Iterator[Path]:
    """Have the code of before the newest migration in a folder; today's, where no history is."""
    commit = _last_before()
    if commit is None:
        yield ROOT
        return
    folder = Path(tempfile.mkdtemp(prefix="jay-before-"))
    folder.chmod(0o755)
    try:
        archive = ["git", "archive", "--format=tar", f"--output={folder}/code.tar", commit]
        subprocess.run(archive, cwd=ROOT, check=True)
        subprocess.run(["tar", "-xf", "code.tar"], cwd=folder, check=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _last_before() -> str | None:
    """Return the last commit whose migrations are a part of today's, each as it is today."""
    today = set(_git("ls-tree", "HEAD", f"{MIGRATIONS}/"))
    for changed in _git("log", "--format=%H", "--", MIGRATIONS):
        before = set(_git("ls-tree", f"{changed}^", f"{MIGRATIONS}/"))
        if before and before < today:
            return f"{changed}^"
    return None


def _git(*words: str) -> list[str]:
    """Return the lines that git prints, none where it fails."""
    run = subprocess.run(["git", *words], cwd=ROOT, check=False, capture_output=True, text=True)
    return run.stdout.splitlines() if run.returncode == 0 else []


def says_which(code: Path) -> str:
    """Return between which migrations a release from this code goes."""
    if code == ROOT:
        return "with the same code, as there is no history of it here"
    before, after = (
        max(file.name[:4] for file in (folder / MIGRATIONS).glob("[0-9]*.py"))
        for folder in (code, ROOT)
    )
    return f"from the code and tables of {before} to those of {after}"


def roll_out(parts: Cluster) -> None:
    """Migrate, put today's code into the nodes' and the workers' places, and clear up behind.

    Between all of it people go on; so the tables first get what the new code wants and the old one
    does not know, and lose what only the old one knew when that is gone.
    """
    parts.code = ROOT
    parts.flask(("db", "upgrade"))
    # What everybody writes to is changed in any case.
    parts.sql("ALTER TABLE baskets ADD COLUMN later integer")
    for number in (1, 2):
        parts.parts[f"app{number}"].replace(ROOT)
        parts.wait_for_node(number)
        # So long nginx may leave it alone, because it was away.
        time.sleep(left_alone_seconds() + 1)
    for number in (1, 2):
        parts.parts[f"worker{number}"].replace(ROOT)
    parts.sql("ALTER TABLE baskets DROP COLUMN later")


def left_alone_seconds() -> int:
    """Return how long nginx asks nothing of a node that has failed."""
    said = re.search(r"fail_timeout=(\d+)s", (DEPLOY / "nginx.conf").read_text())
    if said is None:
        raise RuntimeError("deploy/nginx.conf does not say fail_timeout")
    return int(said[1])
