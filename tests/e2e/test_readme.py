"""The README's curl lines work as printed, but for the port."""

import re
import subprocess
import sys
import time

import pytest
import urllib3

from tests.clock import PATIENCE_SECONDS
from tests.e2e.actors import DEMO_SHOP_KEY, Merchant, TvApp, http_client
from tests.e2e.service import Service
from tests.servers import ROOT, free_port

PRINTED_AT = "http://127.0.0.1:8000"


@pytest.fixture
def readme_block() -> str:
    """The block of curl lines."""
    (block,) = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(block)


def test_the_curl_lines_of_the_readme_lead_from_the_merchant_to_the_web_shop(
    readme_block: str, service: Service
) -> None:
    script = readme_block.replace(PRINTED_AT, service.url)
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert '"error"' not in run.stdout
    assert '"productId":"demo-shop/en-GB/CREW-01-M"' in run.stdout
    assert "{'productId': 'demo-shop/en-GB/CREW-01-M', 'count': 1}" in run.stdout
    assert run.stdout.rstrip().endswith('"secondsLeft":0,"pollSeconds":5,"purchase":"none"}}')
    assert '"state":"claimed"' in run.stdout.splitlines()[-1]


def test_the_web_shop_of_the_readme_redeems_a_transfer(service: Service) -> None:
    (shop,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    key = service.add_partner("shopping", "--transfer-origin", origin)
    shop = shop.replace(PRINTED_AT, service.url).replace("9000", str(port))
    script = shop.replace("demo-basket-key", key)
    running = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    try:
        mug = Merchant(service, DEMO_SHOP_KEY).post("README-MUG", "Mug <1>", price=900)
        basket = TvApp(service, key).guest((mug["README-MUG"], 2))
        url = basket.transfer(url=f"{origin}/basket?from=tv")["url"]
        said = [page_at(url) for _ in range(2)]
        refused = page_at(f"{origin}/basket?jayToken=unknown")
    finally:
        running.terminate()
        running.wait()

    assert said == ["<p>2 x Mug &lt;1&gt;</p>"] * 2
    assert refused.startswith("<p>")


def page_at(url: str) -> str:
    """Open a page of the shop, which may still be starting."""
    for _ in range(PATIENCE_SECONDS * 20):
        try:
            return http_client().request("GET", url).data.decode()
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    raise AssertionError("the shop does not start")
