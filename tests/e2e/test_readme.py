"""The README's curl lines work as printed, but for the port."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.demo import demo_service
from tests.servers import ROOT

PRINTED_AT = "http://127.0.0.1:8000"


@pytest.fixture
def readme_block() -> str:
    """The block of curl lines."""
    (block,) = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(block)


def test_the_curl_lines_of_the_readme_lead_from_the_merchant_to_the_web_shop(
    readme_block: str, tmp_path: Path
) -> None:
    with demo_service(tmp_path) as service:
        script = readme_block.replace(PRINTED_AT, service.url)
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False
        )

    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert '"error"' not in run.stdout
    assert '"productId":"demo-shop/en-GB/CREW-01-M"' in run.stdout
    assert "{'productId': 'demo-shop/en-GB/CREW-01-M', 'count': 1}" in run.stdout
    assert run.stdout.rstrip().endswith('"secondsLeft":0,"pollSeconds":1.5}}')
    assert '"state":"claimed"' in run.stdout.splitlines()[-1]
