"""The topology of ``deploy/`` on loopback, from Debian's packages: what an operator copies is run.

nginx, two nodes, two workers, PgBouncer, HAProxy, two PostgreSQL servers under Patroni, etcd and
Redis. The files are those of ``deploy/``, with other ports and folders in the place of other
machines.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.demo import flask_commands
from tests.servers import ROOT, children_of, free_port

DEPLOY = ROOT / "deploy"
SECRET = "a secret of 32 bytes, for the cluster"
STARTED_SECONDS = 90
FRONT = ("nginx", "worker1", "worker2", "app1", "app2")


def replaced(name: str, changes: Mapping[str, str]) -> str:
    """Return a file of ``deploy/`` with other addresses; each that is to be replaced is there."""
    text = (DEPLOY / name).read_text()
    for old, new in changes.items():
        if old not in text:
            raise RuntimeError(f"deploy/{name} does not say {old!r}")
        text = text.replace(old, new)
    return text


def until(true: Callable[[], bool], what: str, seconds: float = STARTED_SECONDS) -> None:
    """Wait until something is so.

    :raises RuntimeError: it is not, after all this time.
    """
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {seconds:.0f} s: {what}")
        time.sleep(0.1)


def fetched(url: str) -> Any:
    """Return what an address answers as JSON, None where it does not."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return json.load(answer)
    except (OSError, urllib.error.URLError, ValueError):
        return None


def serves(url: str) -> bool:
    """Tell whether a node, or what is in front of it, says that it is ready."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=15):
            return True
    except (OSError, urllib.error.URLError):
        return False


class Part:
    """A process of the cluster, with its children."""

    def __init__(
        self,
        name: str,
        command: list[str],
        folder: Path,
        *,
        environ: Mapping[str, str] | None = None,
        user: str | None = None,
        code: Path = ROOT,
    ) -> None:
        """:param code: where it is run from; it may be another folder with the next start."""
        self.name, self.command, self.folder, self.code = name, command, folder, code
        self.environ = {**os.environ, **(environ or {})}
        self.user = user if os.geteuid() == 0 else None
        self.start()

    def start(self) -> None:
        """Start it, and return at once."""
        identity: dict[str, Any] = {}
        if self.user:
            who = pwd.getpwnam(self.user)
            identity = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.code if self.user is None else self.folder,
                env=self.environ,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                **identity,
            )

    @property
    def pids(self) -> list[int]:
        """Its processes, the first one first."""
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(FileNotFoundError):
                found += children_of(pid)
        return found

    def signal(self, number: int) -> None:
        """Send all its processes a signal."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it as a crash of its machine does."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def replace(self, code: Path) -> None:
        """End it, and start it from other code."""
        self.stop()
        self.code = code
        self.start()

    def stop(self, seconds: float = 40) -> None:
        """End it as an operator does."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()


class Cluster:
    """All parts, running."""

    def __init__(self, folder: Path, code: Path = ROOT) -> None:
        """:param code: where the service lies that the nodes and the workers run."""
        self.folder, self.code = folder, code
        folder.chmod(0o755)
        names = (
            "front",
            "app1",
            "app2",
            "primary",
            "standby",
            "pool",
            "redis",
            "etcd",
            "etcd-peers",
        )
        patroni = [f"{kind}{number}" for number in (1, 2) for kind in ("db", "rest")]
        self.ports = {name: free_port() for name in (*names, *patroni)}
        self.url = f"http://127.0.0.1:{self.ports['front']}"
        self.parts: dict[str, Part] = {}
        self.database_url = f"postgresql://postgres:secret-1@127.0.0.1:{self.ports['primary']}/jay"
        self.environ: dict[str, str] = {}

    def start(self) -> None:
        """Start all parts, one after the other, and load the demo."""
        user = {"user": "postgres"}
        self._start_etcd(user)
        for number in (1, 2):
            self._start_patroni(number, user)
        until(self.is_safe, "no primary with a synchronous standby")
        self._start_haproxy()
        self._start_redis()
        self._make_database()
        self._start_pgbouncer(user)
        self.environ = {
            "JAY_DEMO": "1",
            "JAY_DATA_DIR": str(self.folder / "data"),
            "JAY_DATABASE_URL": f"postgresql://jay:secret-4@127.0.0.1:{self.ports['pool']}/jay",
            "JAY_DATABASE_READ_URL": self.database_url.replace(
                str(self.ports["primary"]), str(self.ports["standby"])
            ),
            "JAY_SECRET_KEY": SECRET,
            "JAY_PUBLIC_URL": self.url,
            "JAY_REDIS_URL": f"redis://:secret-5@127.0.0.1:{self.ports['redis']}/0",
            "JAY_TRUSTED_PROXIES": "1",
            "JAY_BIND": "127.0.0.1",
            "JAY_KEEP_ALIVE": "75",
            "JAY_GUESTS_PER_ADDRESS": "1000000",
            "JAY_REQUESTS_PER_USER": "1000000",
            "JAY_CHECKOUTS_PER_USER": "1000000",
            "JAY_TRANSFERS_PER_USER": "1000000",
            "WEB_CONCURRENCY": "2",
        }
        self.flask(("db", "upgrade"), ("demo", "load"))
        for number in (1, 2):
            self._start_node(number)
        for number in (1, 2):
            self.wait_for_node(number)
            self._start_worker(number)
        self._start_nginx()
        until(lambda: serves(self.url), "nginx leads nowhere")

    def flask(self, *commands: tuple[str, ...]) -> list[str]:
        """Run commands of the service and return what each prints."""
        environ = {**self.environ, "PORT": str(self.ports["app1"])}
        return flask_commands(environ, *commands, code=self.code)

    def sql(self, statement: str, door: str = "primary") -> str:
        """Run a statement as the operator does, on the primary or on the standby."""
        url = self.database_url.replace(str(self.ports["primary"]), str(self.ports[door]))
        run = subprocess.run(
            ["psql", url, "-Atqc", statement], check=True, capture_output=True, text=True
        )
        return run.stdout

    def _file(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def _own(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(path, "postgres", "postgres")
        return path

    def _start_etcd(self, user: Mapping[str, str]) -> None:
        client, peers = (f"http://127.0.0.1:{self.ports[n]}" for n in ("etcd", "etcd-peers"))
        text = replaced(
            "etcd",
            {
                ",etcd2=http://etcd2:2380,etcd3=http://etcd3:2380": "",
                "http://etcd1:2379": client,
                "http://0.0.0.0:2379": client,
                "http://etcd1:2380": peers,
                "http://0.0.0.0:2380": peers,
                "/var/lib/etcd/jay": str(self._own("etcd") / "data"),
            },
        )
        environ = dict(re.findall(r"^(ETCD_\w+)=(.*)$", text, re.MULTILINE))
        command = ["etcd", "--unsafe-no-fsync"]
        self.parts["etcd"] = Part("etcd", command, self.folder, environ=environ, **user)

    def _start_patroni(self, number: int, user: Mapping[str, str]) -> None:
        binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        ours = self._own(f"postgresql{number}")
        text = replaced(
            "patroni.yml",
            {
                "etcd1:2379,etcd2:2379,etcd3:2379": f"127.0.0.1:{self.ports['etcd']}",
                "name: db1": f"name: db{number}",
                "db1:8008": f"127.0.0.1:{self.ports[f'rest{number}']}",
                "db1:5432": f"127.0.0.1:{self.ports[f'db{number}']}",
                "/var/lib/postgresql/15/jay": str(ours / "data"),
                "/usr/lib/postgresql/15/bin": str(binaries),
                "samenet": "127.0.0.1/32",
                **{f"CHANGE-ME-{n}": f"secret-{n}" for n in (1, 2, 3, 4)},
            },
        )
        text += f"  parameters:\n    unix_socket_directories: {ours}\n  pgpass: {ours}/pgpass\n"
        file = self._file(f"patroni{number}.yml", text)
        self.parts[f"db{number}"] = Part(f"db{number}", ["patroni", str(file)], self.folder, **user)

    def _start_haproxy(self) -> None:
        rest = {
            f"db{n}:5432 check port 8008": f"127.0.0.1:{self.ports[f'db{n}']} check port"
            f" {self.ports[f'rest{n}']}"
            for n in (1, 2)
        }
        backup = {"127.0.0.1:5000 backup": f"127.0.0.1:{self.ports['primary']} backup"}
        doors = {
            "bind :5000": f"bind 127.0.0.1:{self.ports['primary']}",
            "bind :5001": f"bind 127.0.0.1:{self.ports['standby']}",
        }
        # Nobody but root can become somebody else.
        users = {} if os.geteuid() == 0 else {"    user haproxy\n    group haproxy\n": ""}
        text = replaced("haproxy.cfg", {**rest, **backup, **doors, **users})
        file = self._file("haproxy.cfg", text)
        self.parts["haproxy"] = Part("haproxy", ["haproxy", "-db", "-f", str(file)], self.folder)

    def _start_redis(self) -> None:
        text = replaced(
            "redis.conf",
            {
                "bind *": "bind 127.0.0.1",
                "port 6379": f"port {self.ports['redis']}",
                "requirepass CHANGE-ME-5": "requirepass secret-5",
            },
        )
        file = self._file("redis.conf", f"{text}dir {self.folder}\n")
        self.parts["redis"] = Part("redis", ["redis-server", str(file)], self.folder)

    def _start_node(self, number: int) -> None:
        environ = {**self.environ, "PORT": str(self.ports[f"app{number}"])}
        command = [sys.executable, "-m", "gunicorn", "wsgi:app"]
        name = f"app{number}"
        self.parts[name] = Part(name, command, self.folder, environ=environ, code=self.code)

    def _start_worker(self, number: int) -> None:
        environ = {**self.environ, "PORT": str(self.ports["app1"])}
        command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
        name = f"worker{number}"
        self.parts[name] = Part(name, command, self.folder, environ=environ, code=self.code)

    def _start_nginx(self) -> None:
        nodes = {f"app{n}:8000": f"127.0.0.1:{self.ports[f'app{n}']}" for n in (1, 2)}
        places = {
            "/run/nginx.pid": str(self.folder / "nginx.pid"),
            "/var/log/nginx/error.log": str(self.folder / "nginx-error.log"),
            "/var/log/nginx/access.log": str(self.folder / "nginx-access.log"),
        }
        with_tls = replaced("nginx.conf", {**nodes, **places, **self._certificate()})
        check = ["nginx", "-t", "-c", str(self._file("nginx-tls.conf", with_tls))]
        subprocess.run(check, check=True, capture_output=True)
        # People and phones come by TLS; here it would only measure the cipher.
        plain = "\n".join(
            line for line in with_tls.splitlines() if not line.strip().startswith("ssl_")
        )
        plain = plain.replace("listen 443 ssl", f"listen 127.0.0.1:{self.ports['front']}")
        plain = plain.replace("proxy_set_header Host $host", "proxy_set_header Host $http_host")
        plain = plain.replace(
            "    server {\n        listen 80 default_server;\n"
            "        return 308 https://$host$request_uri;\n    }\n",
            "",
        )
        file = self._file("nginx.conf", plain)
        command = ["nginx", "-g", "daemon off;", "-c", str(file)]
        self.parts["nginx"] = Part("nginx", command, self.folder)

    def _certificate(self) -> dict[str, str]:
        key, certificate = self.folder / "privkey.pem", self.folder / "fullchain.pem"
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        files = ["-subj", "/CN=jay.example", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*make, *files], check=True, capture_output=True)
        return {
            "/etc/ssl/jay/fullchain.pem": str(certificate),
            "/etc/ssl/jay/privkey.pem": str(key),
        }

    def _make_database(self) -> None:
        url = self.database_url.rsplit("/", 1)[0] + "/postgres"
        # With the timeouts that deploy/pgbouncer.ini asks for.
        role = re.findall(r"^;   (ALTER ROLE .*)$", replaced("pgbouncer.ini", {}), re.MULTILINE)
        statements = [
            "CREATE ROLE jay LOGIN PASSWORD 'secret-4'",
            *role,
            "CREATE DATABASE jay OWNER jay TEMPLATE template0 ENCODING 'UTF8'",
        ]
        asked = ["psql", url, "-qc"]
        there = [*asked, "SELECT 1"]
        until(
            lambda: subprocess.run(there, check=False, capture_output=True).returncode == 0,
            "HAProxy leads to no primary",
        )
        for statement in statements:
            subprocess.run([*asked, statement], check=True, capture_output=True)

    def _start_pgbouncer(self, user: Mapping[str, str]) -> None:
        users = self._file("userlist.txt", '"jay" "secret-4"\n')
        text = replaced(
            "pgbouncer.ini",
            {
                "host=pool port=5000": f"host=127.0.0.1 port={self.ports['primary']}",
                "listen_addr = *": "listen_addr = 127.0.0.1\nunix_socket_dir =",
                "listen_port = 6432": f"listen_port = {self.ports['pool']}",
                "/etc/pgbouncer/userlist.txt": str(users),
            },
        )
        command = ["pgbouncer", str(self._file("pgbouncer.ini", text))]
        self.parts["pgbouncer"] = Part("pgbouncer", command, self.folder, **user)

    # --- what can be asked

    def members(self) -> list[dict[str, Any]]:
        """Return what Patroni knows of its servers."""
        for number in (1, 2):
            found = fetched(f"http://127.0.0.1:{self.ports[f'rest{number}']}/cluster")
            if found:
                members: list[dict[str, Any]] = found["members"]
                return members
        return []

    def is_safe(self) -> bool:
        """Tell whether there is a primary, and a standby that has all that was acknowledged."""
        roles = {member["role"]: member["state"] for member in self.members()}
        standby = roles.get("sync_standby") in {"running", "streaming"}
        return roles.get("leader") == "running" and standby

    def number_of(self, role: str) -> int:
        """Return which of the two servers has a role: ``leader``, ``sync_standby``."""
        [name] = [member["name"] for member in self.members() if member["role"] == role]
        return int(name[-1])

    def postgres_pids(self, number: int) -> list[int]:
        """Return the processes of one PostgreSQL server, the postmaster first."""
        file = self.folder / f"postgresql{number}" / "data" / "postmaster.pid"
        postmaster = int(file.read_text().split()[0])
        return [postmaster, *children_of(postmaster)]

    def replaying(self, number: int) -> int:
        """Return the process of a standby that shows what it gets."""
        named = {
            pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in self.postgres_pids(number)
        }
        [found] = [pid for pid, name in named.items() if "startup" in name]
        return found

    def wait_for_node(self, number: int) -> None:
        """Wait until a node serves."""
        address = f"http://127.0.0.1:{self.ports[f'app{number}']}"
        until(lambda: serves(address), f"node {number} does not serve")

    def close(self) -> None:
        """End all parts, those in front first."""
        pids = []
        for number in (1, 2):
            with contextlib.suppress(OSError, ValueError):
                pids += self.postgres_pids(number)
        for name in (*FRONT, "pgbouncer", "haproxy", "redis"):
            if name in self.parts:
                self.parts[name].stop()
        for name in ("db2", "db1", "etcd"):
            if name in self.parts:
                self.parts[name].stop()
        for pid in pids:  # of those that Patroni did not live to stop
            with contextlib.suppress(OSError):
                if "postgres" in Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def cluster(code: Path = ROOT) -> Any:
    """Run the whole of it, and keep its logs where it failed."""
    folder = Path(tempfile.mkdtemp(prefix="jay-cluster-"))
    made = Cluster(folder, code)
    try:
        made.start()
        yield made
    except BaseException:
        print(f"The logs are in {folder}", file=sys.stderr)
        made.close()
        raise
    made.close()
    shutil.rmtree(folder, ignore_errors=True)
