"""What operators copy from ``deploy/`` says the same as the service does."""

import ipaddress
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest

from jay.config import settings_from
from jay.db.database import Database
from jay.db.postgresql import ImpatientConnection
from jay.errors import OutcomeUnknown, PayloadTooLarge
from jay.web.responses import LARGER_BODIES, MAX_BODY_BYTES
from tests.cluster.parts import DEPLOY, replaced
from tests.cluster.release import left_alone_seconds
from tests.conftest import SECRET
from tests.servers import ROOT

COMPOSE = (DEPLOY / "compose.yaml").read_text()
NGINX = (DEPLOY / "nginx.conf").read_text()
VALUES = {
    "JAY_DATABASE_URL": "postgresql://jay@db1/jay",
    "JAY_SECRET_KEY": SECRET,
    "JAY_PUBLIC_URL": "https://jay.example",
}
LIMIT = (DEPLOY / "systemd/pgbouncer.conf").read_text()
PATRONI = (DEPLOY / "patroni.yml").read_text()


def test_nginx_answers_for_nodes_that_are_away_as_the_service_would() -> None:
    found = re.search(r"return 503 '(.*)\\n'", NGINX)
    assert found is not None
    error = json.loads(found[1])["error"]

    assert (error["code"], error["details"]) == (OutcomeUnknown.code, OutcomeUnknown.constant())
    assert "Retry-After 1 always" in NGINX


def test_nginx_refuses_what_is_too_large_as_the_service_would() -> None:
    found = re.search(r"return 413 '(.*)\\n'", NGINX)
    assert found is not None
    error = json.loads(found[1])["error"]

    assert (error["code"], error["details"]) == (PayloadTooLarge.code, PayloadTooLarge.constant())
    assert error["message"] == PayloadTooLarge.sentence()
    # A location with error pages of its own forgets those of the server.
    for part in re.split(r"(?=server {|location )", NGINX):
        assert part.startswith("server {\n        listen 80") or (
            ("error_page 413 @too_large;" in part) == ("=503 @busy;" in part)
        )


def test_nginx_says_so_for_requests_that_may_not_be_repeated_too() -> None:
    server = NGINX.split("listen 443 ssl")[1]
    asked = NGINX.split("$may_be_repeated {")[1].split("}")[0]
    rules = re.findall(r'"~(.+)" ([01]);', asked)

    def may_be_repeated(asking: str) -> bool:
        return next((says for rule, says in rules if re.search(rule, asking)), "1") == "1"

    # Without it nginx answers the failure of what it has come to by an error_page in HTML.
    assert "recursive_error_pages on;" in server
    assert [may_be_repeated(one) for one in ("GET:", "PUT:", "POST:key")] == [True] * 3
    once = ("POST:", "PATCH:", "PATCH:key", "DELETE:", "DELETE:key")
    assert [may_be_repeated(one) for one in once] == [False] * 5


def test_nginx_takes_what_the_service_takes_and_keeps_connections_for_less_long() -> None:
    sizes = {"": MAX_BODY_BYTES}
    for start, most in LARGER_BODIES.items():
        sizes[start.decode().split(" ")[1]] = most
    found = {}
    for part in NGINX.split("location "):
        size = re.search(r"client_max_body_size (\d+)m;", part)
        if size is not None:
            found["" if "http {" in part else part.split(" ")[0]] = int(size[1]) * 1024**2

    upstream = NGINX.split("upstream nodes")[1].split("}")[0]
    kept = re.search(r"keepalive_timeout (\d+)s", upstream)
    waits = re.search(r'JAY_KEEP_ALIVE: "(\d+)"', COMPOSE)

    assert found == sizes
    assert kept is not None
    assert waits is not None
    assert int(kept[1]) < int(waits[1])


def test_nginx_leaves_addresses_as_they_came_and_logs_none() -> None:
    assert set(re.findall(r"proxy_pass .*", NGINX)) == {"proxy_pass http://nodes;"}
    [form] = re.findall(r'log_format (\w+) "(.*)";', NGINX)
    inside = NGINX.split("http {")[1]

    assert not re.search(r"\$(request|request_uri|uri|args|http_\w+|remote_addr)\b", form[1])
    assert re.findall(r"access_log \S+ (.*);", NGINX) == [f"{form[0]} if=$failed"]
    # On any other level it quotes the line of a request that has failed.
    assert re.findall(r"error_log \S+ (\w+);", inside) == ["emerg"]


def test_what_systemd_sets_is_known_and_its_data_lie_where_they_may_be_written() -> None:
    lines = (DEPLOY / "systemd/environment").read_text().splitlines()
    # What is for several nodes alone is ready to be uncommented.
    lines = [line.removeprefix("#") for line in lines if not line.startswith("# ")]
    said = dict(line.split("=", 1) for line in lines)
    given = {name: value for name, value in said.items() if not name.endswith("_FILE")}
    units = [unit.read_text() for unit in (DEPLOY / "systemd").glob("*.service")]

    settings = settings_from({**VALUES, **given})

    assert {name.removesuffix("_FILE") for name in said} >= VALUES.keys()
    assert given.keys() >= {"JAY_BIND", "JAY_TRUSTED_PROXIES", "JAY_KEEP_ALIVE", "JAY_MEDIA"}
    assert {"JAY_REDIS_URL_FILE", "JAY_DATABASE_READ_URL_FILE"} <= said.keys()
    readme = (ROOT / "README.md").read_text()
    assert all(f"`{name.removesuffix('_FILE')}`" in readme for name in said)
    assert settings.bind_host == given["JAY_BIND"]
    assert (settings.trusted_proxies, settings.keep_alive) == (1, 75)
    assert len(units) == 3
    for unit in units:
        assert "Environment=JAY_DATA_DIR=/var/lib/jay\n" in unit
        assert "StateDirectory=jay\n" in unit
    # What may be done is one and the same, and it is all that is said last.
    assert len({unit.split("# Who breaks in")[1].split("\n[")[0] for unit in units}) == 1
    asked = (DEPLOY / "systemd/jay").read_text()
    for line in ("EnvironmentFile=/etc/jay/environment", "StateDirectory=jay"):
        assert line in asked
        assert all(line in unit for unit in units)


def test_what_compose_sets_is_known() -> None:
    names = re.findall(r"^ +(JAY_\w+?)(?:_FILE)?:", COMPOSE, re.MULTILINE)
    given = {
        name: VALUES.get(name) or re.findall(rf'{name}: "?([^"\n]+)', COMPOSE)[0] for name in names
    }

    settings = settings_from(given)

    assert len(names) >= 6
    assert settings.redis_url == "redis://redis1:6379/0"
    assert (settings.trusted_proxies, settings.keep_alive) == (1, 75)


def test_the_image_is_built_by_one_service_and_pulled_by_none() -> None:
    assert len(re.findall(r"^ +build: ", COMPOSE, re.MULTILINE)) == 1
    assert re.search(r"image: jay-basket\n +pull_policy: never\b", COMPOSE) is not None
    assert "build: " in COMPOSE.split("\n  upgrade:\n")[1].split("\n  app1:\n")[0]


def test_nginx_finds_the_nodes_again_that_were_started_anew() -> None:
    fixed = dict(
        re.findall(r"^  (\w+):\n.+\n +networks: .*ipv4_address: ([\d.]+)", COMPOSE, re.MULTILINE)
    )
    given = re.search(r"subnet: (\S+), ip_range: (\S+) }", COMPOSE)
    assert given is not None
    subnet, others = map(ipaddress.ip_network, given.groups())
    addresses = [ipaddress.ip_address(address) for address in fixed.values()]

    assert set(fixed) == set(re.findall(r"server (\w+):8000", NGINX))
    assert len(set(addresses)) == len(addresses)
    assert all(address in subnet and address not in others for address in addresses)


@pytest.mark.parametrize(
    ("heading", "failing", "begun"),
    [
        (
            "with Docker",
            "*app1",  # it does not become healthy
            [
                "git pull",
                "docker compose build",
                "docker compose run --rm upgrade",
                "docker compose up -d --no-deps --wait app1",
            ],
        ),
        (
            "wait a few seconds",
            "*install",
            ["git -C /srv/jay pull", "make -C /srv/jay install"],
        ),
        (
            "wait a few seconds",
            "db*",
            ["git -C /srv/jay pull", "make -C /srv/jay install", "jay db upgrade"],
        ),
    ],
    ids=["docker", "systemd, packages", "systemd, tables"],
)
def test_an_upgrade_ends_where_a_step_fails(
    tmp_path: Path, heading: str, failing: str, begun: list[str]
) -> None:
    steps = (ROOT / "docs/OPERATING.md").read_text().split("## Upgrade")[1]
    block = steps.split(f"{heading}:\n\n")[1].split("\n\n")[0]
    for name in ("docker", "git", "jay", "make", "sleep", "systemctl"):
        program = tmp_path / name
        program.write_text(
            f'#!/bin/sh\necho "${{0##*/}} $*"\ncase "$*" in {failing}) exit 1; esac\n'
        )
        program.chmod(0o755)

    told = subprocess.run(
        ["bash", "-c", block],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 1
    assert told.stdout.splitlines() == begun


def test_redis_keeps_nothing_and_takes_only_so_much_wherever_it_runs() -> None:
    lines = (DEPLOY / "redis.conf").read_text().splitlines()
    said = dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
    command = re.search(r"\[redis-server, (.*)\]", COMPOSE)
    assert command is not None
    words = [word.strip('"') for word in command[1].split(", ")]
    options = dict(zip(words[::2], words[1::2], strict=True))

    assert options == {
        f"--{name}": said[name].strip('"')
        for name in ("save", "appendonly", "maxmemory", "maxmemory-policy")
    }


def test_a_node_that_was_away_is_left_alone_for_as_long_as_the_steps_of_a_release_say() -> None:
    scaling = (ROOT / "docs/SCALING.md").read_text()

    # A second more than nginx needs.
    assert left_alone_seconds() == 2
    assert "**three seconds more**" in scaling


def test_a_node_has_the_time_to_end_what_it_has_begun() -> None:
    config = (ROOT / "gunicorn.conf.py").read_text()
    units = [unit.read_text() for unit in (DEPLOY / "systemd").glob("*.service")]
    texts = [unit for unit in units if "Restart=always" in unit]
    # Its first one is the service's.
    texts.append(COMPOSE)

    graceful = re.search(r"^graceful_timeout = (\d+)$", config, re.MULTILINE)
    given = [re.search(r"(?:TimeoutStopSec=|stop_grace_period: )(\d+)", text) for text in texts]

    assert graceful is not None
    assert len(given) == 3
    assert all(one is not None and int(one[1]) > int(graceful[1]) for one in given)


def test_what_is_over_goes_every_day_wherever_it_runs() -> None:
    purge = "flask --app app baskets purge"

    assert purge in (DEPLOY / "systemd/jay-purge.service").read_text()
    assert "OnCalendar=*-*-*" in (DEPLOY / "systemd/jay-purge.timer").read_text()
    assert f"{purge}; sleep 86400;" in COMPOSE


def test_the_image_can_make_backups_of_the_database_that_compose_starts() -> None:
    server = re.search(r"image: postgres:(\d+)", COMPOSE)
    image = (DEPLOY / "Dockerfile").read_text()
    tools = re.search(r"install .*postgresql-client-(\d+)", image)

    assert server is not None
    assert tools is not None
    assert tools[1] == server[1]
    # The base is one: programs of one Debian are not run on another one's libraries.
    assert len(set(re.findall(r"^FROM (\S+)", image, re.MULTILINE))) == 1


def test_the_service_can_read_what_was_cloned_for_its_owner_alone() -> None:
    image = (DEPLOY / "Dockerfile").read_text()
    copied = image.rindex("\nCOPY ")

    assert copied < image.index("chmod -R a+rX .") < image.index("\nUSER jay")


def test_what_operators_put_beside_the_files_is_not_committed() -> None:
    put = {"deploy/.env", *(f"deploy/{name}" for name in re.findall(r"file: \./(\S+) }", COMPOSE))}
    put |= {f"deploy/{name}/x" for name in re.findall(r"- ?\"?\./(\w+):", COMPOSE)}
    put |= {f"deploy/{name}/x" for name in re.findall(r'"\./(\w+):', COMPOSE)}
    ignored = subprocess.run(
        ["git", "check-ignore", *put], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert len(put) >= 6
    assert set(ignored.stdout.split()) == put


def test_the_builder_is_sent_what_the_image_is_made_of() -> None:
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE
    )
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()

    wanted = {name for line in copied for name in line.split(" ")}
    assert {name.removeprefix("!") for name in sent if name.startswith("!")} == wanted
    assert "*" in sent
    assert all((ROOT / name).exists() for name in wanted)


def test_pgbouncer_has_room_for_what_postgresql_bears_and_roles_for_what_it_keeps_to_itself(
    real_patience: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooled = (DEPLOY / "pgbouncer.ini").read_text()
    most = re.search(r"^ +max_connections: (\d+)$", PATRONI, re.MULTILINE)
    pool = re.search(r"^default_pool_size = (\d+)$", pooled, re.MULTILINE)
    asked: dict[str, str] = {}

    def connect(*, options: str, **_: Any) -> NoReturn:
        asked.update(re.findall(r"-c ([\w.]+)=(\S+)", options))
        raise LookupError  # none of a connection that can't be made

    monkeypatch.setattr(ImpatientConnection, "connect", connect)
    with pytest.raises(LookupError):
        Database("postgresql+psycopg://jay@127.0.0.1/jay").engine.connect()

    assert most is not None
    assert pool is not None
    assert int(most[1]) - 30 <= int(pool[1]) < int(most[1])
    # A connection is a file, on either side.
    clients = re.search(r"^max_client_conn = (\d+)$", pooled, re.MULTILINE)
    files = re.search(r"^LimitNOFILE=(\d+)$", LIMIT, re.MULTILINE)
    assert clients is not None
    assert files is not None
    assert int(files[1]) > int(clients[1]) + int(pool[1])
    assert dict(re.findall(r"ALTER ROLE jay SET ([\w.]+) = '(.+)';", pooled)) == asked


def test_who_reads_from_the_standby_is_led_to_whichever_server_is_the_primary_without_it() -> None:
    primary, standby = (
        (DEPLOY / "haproxy.cfg").read_text().split("listen primary")[1].split("listen")
    )
    bound = re.search(r"bind :(\d+)", primary)
    without = re.search(r"server \S+ 127.0.0.1:(\d+) backup", standby)

    assert bound is not None
    assert without is not None
    assert without[1] == bound[1]


def test_an_address_that_is_not_there_is_noticed() -> None:
    with pytest.raises(RuntimeError, match=r"deploy/haproxy.cfg does not say 'db9'"):
        replaced("haproxy.cfg", {"db9": "db1"})
