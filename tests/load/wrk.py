"""wrk, which sends a list of requests again and again, and what it measures."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.load.figures import Figures
from tests.load.seeding import Seeded

WARM_UP_ROUNDS = 3
"""How often each request is sent before it counts, so that both workers know each token."""

CHUNK_SECONDS = 2
TRACKING = (
    "eyJzZXNzaW9uX2lkIjoiZXhhbXBsZS1zZXNzaW9uLWlkLTEyMzQiLCJzdGFydF90aW1lIjoiMjAyNS0wMS0wMVQxMjow"
    "MDowMC4wMDAwMDAiLCJzb3VyY2UiOiJqYXkuYXBpLnBsYXlvdXQuZXhhbXBsZSJ9"
)


class Request(NamedTuple):
    """A request that wrk sends."""

    method: str
    path: str
    token: str = ""
    body: str = ""


SCRIPT = """
local requests = {{}}
local at = {start}
init = function()
  for line in io.open("{requests}"):lines() do
    local method, path, token, body = line:match("^(%S+)\\t(%S+)\\t(%S*)\\t(.*)$")
    local headers = {{["X-API-Key"] = "{api_key}", ["X-JAY-Tracking"] = "{tracking}"}}
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    if body ~= "" then headers["Content-Type"] = "application/json" end
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def script_of(requests: list[Request], seeded: Seeded, folder: Path, *, merchant: bool) -> Path:
    """Write what wrk sends, with the key of the merchant or the partner."""
    return script_with(seeded.merchant_key if merchant else seeded.api_key, requests, folder)


def script_with(api_key: str, requests: list[Request], folder: Path) -> Path:
    """Write what wrk sends with this key."""
    listed, script = folder / "requests", folder / "script.lua"
    listed.write_text("".join("\t".join(request) + "\n" for request in requests))
    start = int.from_bytes(os.urandom(4)) % len(requests)
    script.write_text(
        SCRIPT.format(requests=listed, api_key=api_key, tracking=TRACKING, start=start)
    )
    return script


def run_wrk(
    port: int, script: Path, connections: int, seconds: int, *, tolerant: bool = False
) -> Figures:
    """Let wrk send what a script says; every answer must be a success.

    :param tolerant: count those that are none instead.
    """
    run = subprocess.run(
        [
            *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"),
            *("-s", str(script), f"http://127.0.0.1:{port}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", run.stdout)
    broken = re.search(r"Socket errors: (.*)", run.stdout)
    errors = int(refused[1]) if refused else 0
    errors += sum(map(int, re.findall(r"\d+", broken[1]))) if broken else 0
    if errors and not tolerant:
        raise RuntimeError(run.stdout)
    count = int(re.search(r"(\d+) requests in", run.stdout)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)[1])  # type: ignore[index]
    return Figures(rate, _percentile(run.stdout, 50), _percentile(run.stdout, 99), count, errors)


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", text)
    if found is None:
        raise RuntimeError(text)
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def warm_up(
    port: int, script: Path, connections: int, requests: int, *, tolerant: bool = False
) -> None:
    """Send each request a few times: what is remembered of it is remembered by both workers."""
    left = WARM_UP_ROUNDS * requests
    while left > 0:
        run = run_wrk(port, script, connections, CHUNK_SECONDS, tolerant=tolerant)
        left -= max(1, run.requests)
