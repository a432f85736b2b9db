"""The settings: right, or refused with every problem in one message."""

import os
import stat
import threading
from pathlib import Path

import pytest

from jay import create_app
from jay.config import (
    ConfigError,
    Settings,
    StripeKeys,
    StripeSettings,
    make_data_dir,
    open_to_others,
    settings_from,
)
from jay.db.database import Database
from jay.net.addresses import LOOPBACK

SECRET = "k3J9-vQ2xW7zR5tY1uB8nM4cL6pD0fGh"
POSTGRES = "postgresql+psycopg://jay@db.example/jay"


def read(tmp_path: Path, **environ: str) -> Settings:
    return settings_from({"JAY_DATA_DIR": str(tmp_path), **environ})


def refused(tmp_path: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, **environ)
    return str(error.value)


# --- defaults


def test_an_empty_environment_gives_a_service_on_this_machine(tmp_path: Path) -> None:
    settings = read(tmp_path)

    assert settings.database_url == f"sqlite:///{tmp_path / 'jay.sqlite3'}"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.bind_host == "127.0.0.1"
    assert (settings.port, settings.workers, settings.threads) == (8000, 2, 4)
    assert (settings.demo, settings.trusted_proxies) == (False, 0)


def test_the_public_url_follows_the_port(tmp_path: Path) -> None:
    assert read(tmp_path, PORT="8123").public_url == "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "JAY_DEMO",
        "JAY_DATABASE_URL",
        "JAY_PUBLIC_URL",
        "JAY_SECRET_KEY",
        "WEB_CONCURRENCY",
        "JAY_THREADS",
        "JAY_TRUSTED_PROXIES",
        "JAY_OUTBOUND_ALLOW",
        "JAY_WEBHOOK_ALLOW",
        "JAY_SMTP_URL",
        "JAY_MAIL_FROM",
        "JAY_OPERATOR_EMAIL",
    ],
)
@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_variable_is_not_set(tmp_path: Path, name: str, empty: str) -> None:
    assert read(tmp_path, **{name: empty}) == read(tmp_path)


def test_an_empty_data_directory_is_the_default_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert settings_from({"JAY_DATA_DIR": ""}).data_dir == tmp_path / "var"


def test_a_given_environment_stands_instead_of_the_one_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "9999")
    monkeypatch.setenv("JAY_DATA_DIR", str(tmp_path / "elsewhere"))

    assert read(tmp_path).port == 8000
    assert read(tmp_path).data_dir == tmp_path


def test_the_environment_of_the_process_is_read_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "9999")
    monkeypatch.setenv("JAY_DATA_DIR", str(tmp_path))

    assert settings_from().port == 9999


def test_settings_can_not_be_changed(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        read(tmp_path).demo = True


# --- problems


WRONG = {
    "JAY_DATABASE_URL": "mysql://jay@db.example/jay",
    "JAY_PUBLIC_URL": "http://jay.example/shop",
    "JAY_SECRET_KEY": "short",
    "JAY_DEMO": "perhaps",
    "PORT": "eighty",
    "WEB_CONCURRENCY": "0",
    "JAY_THREADS": "many",
    "JAY_TRUSTED_PROXIES": "-1",
    "JAY_WEBHOOK_ALLOW": "10.0.0.0/8, everywhere",
    "JAY_SMTP_URL": "mail.example",
    "JAY_MAIL_FROM": "Kino Nord",
    "JAY_OPERATOR_EMAIL": "nobody",
}


def test_a_mail_server_needs_to_know_whom_mails_come_from(tmp_path: Path) -> None:
    url = "smtp://jay:hunter2-hunter2@mx.example"

    assert refused(tmp_path, JAY_SMTP_URL=url).startswith("Cannot start: JAY_MAIL_FROM: must be")
    settings = read(tmp_path, JAY_SMTP_URL=url, JAY_MAIL_FROM="Kino <shop@kino.example>")
    assert str(settings.mail_from) == "Kino <shop@kino.example>"
    assert settings.mail_server is not None
    assert settings.mail_server.password == "hunter2-hunter2"
    assert "hunter2" not in repr(settings)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path, **WRONG)

    assert message.startswith("Cannot start: ")
    assert [name for name in WRONG if f"{name}: " not in message] == []
    assert len(message.split("; ")) == len(WRONG)
    assert "\n" not in message


@pytest.mark.parametrize("name", WRONG)
def test_each_problem_is_reported_alone_too(tmp_path: Path, name: str) -> None:
    message = refused(tmp_path, **{name: WRONG[name]})

    assert message.startswith(f"Cannot start: {name}: ")
    assert ";" not in message


def test_a_message_does_not_show_the_secret(tmp_path: Path) -> None:
    assert "hunter2hunter2" not in refused(tmp_path, JAY_SECRET_KEY="hunter2hunter2", PORT="x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("WEB_CONCURRENCY", "513"),
        ("JAY_THREADS", "0"),
        ("JAY_TRUSTED_PROXIES", "11"),
        ("JAY_DATABASE_URL", "no url at all"),
        ("JAY_DATABASE_URL", "mysql://jay@db.example/jay"),
        ("JAY_DATABASE_URL", "sqlite+aiosqlite:///x"),
    ],
)
def test_what_is_out_of_bounds_is_refused(tmp_path: Path, name: str, value: str) -> None:
    assert name in refused(tmp_path, **{name: value})


# --- the public URL


@pytest.mark.parametrize(
    "url",
    [
        "jay.example",
        "//jay.example",
        "ftp://jay.example",
        "javascript:alert(1)",
        "http://",
        "https://jay.example/shop",
        "https://jay.example/?a=1",
        "https://jay.example/#a",
        "https://user@jay.example",
        "https://jay.example:port",
        "https://jay.example:99999",
        "https://[::1",
    ],
)
def test_a_public_url_that_is_no_origin_is_refused(tmp_path: Path, url: str) -> None:
    assert "JAY_PUBLIC_URL: must be" in refused(tmp_path, JAY_PUBLIC_URL=url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://jay.example", "https://jay.example"),
        ("https://jay.example/", "https://jay.example"),
        ("HTTPS://Jay.Example", "https://jay.example"),
        ("http://192.168.0.17:8000", "http://192.168.0.17:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_public_url_is_kept_as_an_origin(tmp_path: Path, url: str, origin: str) -> None:
    assert read(tmp_path, JAY_PUBLIC_URL=url).public_url == origin


@pytest.mark.parametrize(
    ("url", "host", "bind"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "127.0.0.1"),
        ("http://localhost:8000", "localhost:8000", "127.0.0.1"),
        ("https://jay.example", "jay.example", "127.0.0.1"),
        ("http://192.168.0.17:8000", "192.168.0.17:8000", "0.0.0.0"),
    ],
)
def test_the_service_listens_beyond_this_machine_only_when_its_public_url_says_so(
    tmp_path: Path, url: str, host: str, bind: str
) -> None:
    settings = read(tmp_path, JAY_PUBLIC_URL=url)

    assert (settings.public_host, settings.bind_host) == (host, bind)


@pytest.mark.parametrize(
    ("url", "name", "secure"),
    [
        ("https://jay.example", "__Host-jay", True),
        ("HTTPS://jay.example", "__Host-jay", True),
        ("http://jay.example", "jay", False),
    ],
)
def test_https_decides_about_the_session_cookie(
    tmp_path: Path, url: str, name: str, secure: bool
) -> None:
    config = create_app(read(tmp_path, JAY_PUBLIC_URL=url)).config

    assert config["SESSION_COOKIE_NAME"] == name
    assert config["SESSION_COOKIE_SECURE"] is secure
    assert config["SESSION_COOKIE_HTTPONLY"] is True
    assert config["SESSION_COOKIE_SAMESITE"] == "Lax"
    # What the prefix of the name promises to browsers: no Domain, and the path /.
    assert (config["SESSION_COOKIE_DOMAIN"], config["SESSION_COOKIE_PATH"]) == (None, None)


# --- where requests may go


@pytest.mark.parametrize(
    ("value", "networks"),
    [
        ("", []),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        (" 10.0.0.0/8 ,fd00::/64, 192.168.1.7,", ["10.0.0.0/8", "fd00::/64", "192.168.1.7/32"]),
    ],
)
@pytest.mark.parametrize("name", ["JAY_OUTBOUND_ALLOW", "JAY_WEBHOOK_ALLOW"])
def test_networks_that_may_be_reached_are_listed(
    tmp_path: Path, name: str, value: str, networks: list[str]
) -> None:
    allowed = read(tmp_path, **{name: value}).outbound_allow

    assert [str(network) for network in allowed] == networks


@pytest.mark.parametrize(
    "value", ["10.0.0.7/8", "shop.example", "10.0.0.0/33", "10.0.0.0/8 fd00::/64"]
)
@pytest.mark.parametrize("name", ["JAY_OUTBOUND_ALLOW", "JAY_WEBHOOK_ALLOW"])
def test_what_is_no_network_is_refused(tmp_path: Path, name: str, value: str) -> None:
    assert f"{name}: must list networks" in refused(tmp_path, **{name: value})


def test_demo_mode_reaches_this_machine_too(tmp_path: Path) -> None:
    assert LOOPBACK[0] in read(tmp_path, JAY_DEMO="1").reachable
    assert read(tmp_path).reachable == ()


# --- files


def test_a_variable_can_come_from_a_file(tmp_path: Path) -> None:
    secret, port = tmp_path / "secret", tmp_path / "port"
    secret.write_text(SECRET + "\n")
    port.write_text(" 8123 \n")

    settings = read(tmp_path, JAY_SECRET_KEY_FILE=str(secret), PORT_FILE=str(port))

    assert (settings.secret_key, settings.port) == (SECRET, 8123)


def test_the_content_of_a_file_is_checked_like_the_variable(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")

    message = refused(tmp_path, JAY_SECRET_KEY_FILE=str(tmp_path / "secret"), PORT="x")

    assert "JAY_SECRET_KEY: is shorter" in message
    assert "PORT: " in message


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_a_file_that_can_not_be_read_is_one_of_the_problems(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\x80")

    message = refused(tmp_path, JAY_SECRET_KEY_FILE=str(path), PORT="x")

    assert "JAY_SECRET_KEY_FILE" in message
    assert "PORT: " in message


# --- secrets


@pytest.mark.parametrize("secret", ["x", "k3J9-vQ2xW7zR5tY1uB8nM4cL6pD0fG", "ü" * 15])
def test_a_secret_of_less_than_32_bytes_is_refused(tmp_path: Path, secret: str) -> None:
    assert "JAY_SECRET_KEY: is shorter than 32 bytes" in refused(tmp_path, JAY_SECRET_KEY=secret)


@pytest.mark.parametrize("secret", ["x" * 64, "changeme" * 8, "0123" * 20])
def test_a_secret_that_looks_like_an_example_is_refused(tmp_path: Path, secret: str) -> None:
    assert "looks like an example" in refused(tmp_path, JAY_SECRET_KEY=secret)


def test_a_random_secret_of_32_bytes_is_taken(tmp_path: Path) -> None:
    assert read(tmp_path, JAY_SECRET_KEY=SECRET).secret_key == SECRET


PUBLIC = {"JAY_PUBLIC_URL": "https://jay.example"}


def test_postgresql_without_a_secret_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, JAY_DATABASE_URL=POSTGRES)

    assert "JAY_SECRET_KEY: must be set" in message
    assert not (tmp_path / "secret-key").exists()


def test_postgresql_with_a_short_secret_has_one_problem(tmp_path: Path) -> None:
    message = refused(tmp_path, JAY_DATABASE_URL=POSTGRES, JAY_SECRET_KEY="short", **PUBLIC)

    assert "is shorter" in message
    assert "must be set" not in message


def test_postgresql_with_a_secret_is_fine(tmp_path: Path) -> None:
    settings = read(tmp_path, JAY_DATABASE_URL=POSTGRES, JAY_SECRET_KEY=SECRET, **PUBLIC)

    assert settings.database_url == POSTGRES


def test_postgresql_without_a_public_url_is_refused_but_in_demo_mode(tmp_path: Path) -> None:
    server = {"JAY_DATABASE_URL": POSTGRES, "JAY_SECRET_KEY": SECRET}

    assert "JAY_PUBLIC_URL: must be set" in refused(tmp_path, **server)
    assert read(tmp_path, **server, JAY_DEMO="1").demo


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret-key").touch()

    assert "secret-key is shorter than 32 bytes" in refused(tmp_path)


def test_the_operator_may_say_where_to_listen(tmp_path: Path) -> None:
    assert read(tmp_path, JAY_BIND="10.0.0.7").bind_host == "10.0.0.7"


def test_a_set_secret_leaves_no_file_behind(tmp_path: Path) -> None:
    read(tmp_path, JAY_SECRET_KEY=SECRET)

    assert list(tmp_path.iterdir()) == []


def test_a_machine_makes_its_own_secret_once(tmp_path: Path) -> None:
    first, second = read(tmp_path).secret_key, read(tmp_path).secret_key

    assert first == second
    assert len(first) >= 43
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_two_machines_have_different_secrets(tmp_path: Path) -> None:
    assert read(tmp_path / "one").secret_key != read(tmp_path / "other").secret_key


def test_the_own_secret_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    read(tmp_path)

    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600


@pytest.mark.parametrize("attempt", range(5))
def test_twenty_first_starts_at_once_agree_on_one_secret(tmp_path: Path, attempt: int) -> None:
    barrier, secrets, errors = threading.Barrier(20), [], []

    def start() -> None:
        barrier.wait()
        try:
            secrets.append(read(tmp_path).secret_key)
        except Exception as error:  # noqa: BLE001 - any one fails the test
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(secrets) == 20
    assert set(secrets) == {(tmp_path / "secret-key").read_text()}
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


# --- what operators type


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_database_url_may_leave_the_driver_out(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}://jay@db.example/jay"
    more = {"JAY_PUBLIC_URL": "https://jay.example", "JAY_SECRET_KEY": "0123456789abcdef" * 2}

    assert read(tmp_path, JAY_DATABASE_URL=url, **more).database_url == POSTGRES


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JAY_DATABASE_URI", "JAY_DATABASE_URL"),
        ("JAY_SECRETKEY", "JAY_SECRET_KEY"),
        ("JAY_TRUSTED_PROXY", "JAY_TRUSTED_PROXIES"),
        ("JAY_PUBLIC_ULR", "JAY_PUBLIC_URL"),
        ("JAY_SECRET_KEY_FIEL", "JAY_SECRET_KEY_FILE"),
    ],
)
def test_a_misspelt_variable_is_named(tmp_path: Path, name: str, meant: str) -> None:
    assert f"{name}: is not known, did you mean {meant}?" in refused(tmp_path, **{name: "x"})


@pytest.mark.parametrize("name", ["JAY_TEST_CLOCK", "JAY_TOKEN", "JAYNE_DATABASE_URL"])
def test_a_variable_like_none_of_ours_is_somebody_elses(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, **{name: "x"}) == read(tmp_path)


@pytest.mark.parametrize(
    ("folder", "file", "found"),
    [(0o700, 0o644, []), (0o755, 0o600, []), (0o755, 0o640, ["data"]), (0o711, 0o604, ["data"])],
)
def test_what_others_can_read_of_the_data_directory_is_found(
    tmp_path: Path, folder: int, file: int, found: list[str]
) -> None:
    (tmp_path / "data").touch(mode=0o600)
    (tmp_path / "data").chmod(file)
    tmp_path.chmod(folder)

    assert open_to_others(tmp_path) == found
    assert open_to_others(tmp_path / "nowhere") == []


def test_a_new_data_directory_and_database_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_data_dir(tmp_path / "data")
        database = Database(f"sqlite:///{tmp_path / 'data' / 'jay.sqlite3'}")
        with database.transaction() as connection:
            connection.exec_driver_sql("CREATE TABLE notes (text)")
            made = [tmp_path / "data", *(tmp_path / "data").iterdir()]
            assert len(made) == 4  # the folder, the database, its log and the log's index
            assert {path: path.stat().st_mode & 0o077 for path in made} == dict.fromkeys(made, 0)
        database.dispose()
    finally:
        os.umask(before)


def test_idle_connections_are_kept_as_long_as_a_balancer_needs(tmp_path: Path) -> None:
    def kept(**environ: str) -> int:
        return settings_from({"JAY_DATA_DIR": str(tmp_path), **environ}).keep_alive

    assert kept() == 5
    assert kept(JAY_KEEP_ALIVE="620") == 620
    for wrong in ("0", "x", "3601"):
        with pytest.raises(ConfigError, match="JAY_KEEP_ALIVE"):
            kept(JAY_KEEP_ALIVE=wrong)


# --- Stripe

STRIPE = {
    "JAY_PSP": "stripe",
    "JAY_STRIPE_SECRET_KEY": "sk_live_a",
    "JAY_STRIPE_PUBLISHABLE_KEY": "pk_live_a",
    "JAY_STRIPE_WEBHOOK_SECRET": "whsec_a, whsec_b",
}
STRIPE_TEST = {
    "JAY_STRIPE_TEST_SECRET_KEY": "rk_test_a",
    "JAY_STRIPE_TEST_PUBLISHABLE_KEY": "pk_test_a",
    "JAY_STRIPE_TEST_WEBHOOK_SECRET": "whsec_c",
}


def test_stripe_has_a_live_and_a_test_mode_or_one_of_them(tmp_path: Path) -> None:
    both = read(tmp_path, **STRIPE, **STRIPE_TEST).stripe
    assert both == StripeSettings(
        "elements",
        StripeKeys("sk_live_a", "pk_live_a", ("whsec_a", "whsec_b")),
        StripeKeys("rk_test_a", "pk_test_a", ("whsec_c",)),
    )
    hosted = read(tmp_path, JAY_PSP="stripe", JAY_STRIPE_UI="hosted", **STRIPE_TEST).stripe
    assert hosted is not None
    assert (hosted.page, hosted.live) == ("hosted", None)
    assert read(tmp_path, **STRIPE | {"JAY_PSP": ""}).stripe is None


def test_secrets_of_stripe_may_lie_in_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk_live_of_a_file\n")
    environ = STRIPE | {"JAY_STRIPE_SECRET_KEY_FILE": str(tmp_path / "key")}
    found = read(tmp_path, **environ).stripe

    assert found is not None
    assert found.live is not None
    assert found.live.secret == "sk_live_of_a_file"


def test_what_is_missing_for_stripe_is_named(tmp_path: Path) -> None:
    none = refused(tmp_path, JAY_PSP="stripe")
    assert "JAY_STRIPE_SECRET_KEY" in none
    assert "JAY_STRIPE_TEST_" in none
    for left_out in STRIPE_TEST:
        said = refused(tmp_path, **STRIPE | STRIPE_TEST | {left_out: ""})
        assert said.count("JAY_") == 1
        assert f"{left_out}: must be set, too" in said


@pytest.mark.parametrize("name", sorted(STRIPE_TEST))
def test_a_key_of_the_other_mode_is_refused_and_not_told(tmp_path: Path, name: str) -> None:
    said = refused(tmp_path, **STRIPE, **STRIPE_TEST | {name: "sk_live_precious"})

    assert f"{name}: must begin with" in said
    assert "precious" not in said
    assert "JAY_STRIPE_UI" in refused(tmp_path, **STRIPE, JAY_STRIPE_UI="frame")


def test_no_text_of_the_settings_has_a_secret_of_stripe(tmp_path: Path) -> None:
    written = repr(read(tmp_path, **STRIPE, **STRIPE_TEST))

    assert "sk_live" not in written
    assert "rk_test" not in written
    assert "whsec" not in written
