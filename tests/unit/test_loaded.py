"""What a process that serves loads: nothing that commands alone need, which is 4 MB of memory."""

import json
import subprocess
import sys

import pytest

from tests.servers import ROOT

PROGRAM = """
import json, sys
from jay import create_app
app = create_app()
served = [*sys.modules]
text = app.test_cli_runner().invoke(args=["products", "import", "--help"]).output
print(json.dumps([served, [*sys.modules], text]))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str], str]:
    """What is loaded with the app and then with a command, and what that one prints."""
    environ = {"JAY_DATA_DIR": str(tmp_path_factory.mktemp("loaded"))}
    written = subprocess.check_output([sys.executable, "-c", PROGRAM], env=environ, text=True)
    served, typed, text = json.loads(written)
    return served, typed, text


def of_commands(modules: list[str]) -> list[str]:
    known = {"jay.ops.commands", "jay.ops.worker", "jay.feeds.importing", "python_calamine"}
    cli = {f"jay.{path.parent.name}.{path.stem}" for path in (ROOT / "jay").rglob("*cli.py")}
    return sorted((known | cli) & set(modules))


def test_a_process_that_serves_loads_no_command(
    loaded: tuple[list[str], list[str], str],
) -> None:
    served, typed, _ = loaded

    assert of_commands(served) == []
    assert len(of_commands(typed)) > 20


def test_a_command_is_there_once_it_is_typed(loaded: tuple[list[str], list[str], str]) -> None:
    assert loaded[2].startswith("Usage:")
