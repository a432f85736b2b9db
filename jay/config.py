"""One frozen, typed settings object from the environment; all problems are reported at once."""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from email.headerregistry import Address
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from environs import Env, EnvValidationError, ValidationError, validate
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from jay.net.addresses import LOOPBACK, Network
from jay.net.buckets import Bucket, bucket_of
from jay.net.smtp import MailServer, mail_server, mailbox, sender
from jay.sealing import Secret

T = TypeVar("T")

SECRET_BYTES = 32
SUPPORTED_DATABASES = ("sqlite", "postgresql+psycopg")
PLAIN_POSTGRESQL = ("postgresql", "postgres")


_BUCKET = "s3://"

# Requests a minute, against abuse: in each process, or of all together where they share a Redis.
_LIMITS = {
    "requests_per_key": 6_000_000,
    "requests_per_user": 1_200,
    "guests_per_key": 60_000,
    "guests_per_address": 300,
    "transfers_per_user": 30,
    "checkouts_per_user": 30,
    "pictures_per_merchant": 300,
    "polls_per_screen": 120,
    # Of all callers and all processes together, however many addresses they have.
    "wrong_codes": 3_000,
}


class ConfigError(Exception):
    """The environment can't be used; the message names every problem."""


PSPS = ("sandbox", "stripe")
"""The payment service providers that there are."""

ELEMENTS, HOSTED = "elements", "hosted"
"""Where Stripe is paid: in its form on a page of ours, or on its own page."""


@dataclass(frozen=True)
class StripeKeys:
    """An account's keys of one mode, live or test.

    :ivar webhooks: secrets that webhooks may be signed with: two while one is replaced.
    """

    secret: str = field(repr=False)
    publishable: str
    webhooks: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class StripeSettings:
    """How payments are made at Stripe; a mode without keys takes none.

    :ivar address: of its API, where that is another one than the library's.
    """

    page: str
    live: StripeKeys | None = None
    test: StripeKeys | None = None
    address: str | None = None


DEMO_SENDER = Address("Jay Basket", "orders", "jay.invalid")
"""Whom mails come from that never leave this machine (RFC 2606)."""


@dataclass(frozen=True)
class Settings:
    """What a deployment decides. ``README.md`` has the table of the variables."""

    database_url: str
    data_dir: Path
    public_url: str
    secret_key: str
    demo: bool
    port: int
    workers: int
    threads: int
    trusted_proxies: int
    keep_alive: int = 5
    """Seconds that an idle connection is kept open."""
    bind: str = ""
    requests_per_key: int = _LIMITS["requests_per_key"]
    requests_per_user: int = _LIMITS["requests_per_user"]
    guests_per_key: int = _LIMITS["guests_per_key"]
    guests_per_address: int = _LIMITS["guests_per_address"]
    transfers_per_user: int = _LIMITS["transfers_per_user"]
    checkouts_per_user: int = _LIMITS["checkouts_per_user"]
    pictures_per_merchant: int = _LIMITS["pictures_per_merchant"]
    polls_per_screen: int = _LIMITS["polls_per_screen"]
    wrong_codes: int = _LIMITS["wrong_codes"]
    database_read_url: str = field(default="", repr=False)
    """A standby, for what bears to be some seconds old."""
    redis_url: str = field(default="", repr=False)
    """Where the processes share their counts; it may hold a password."""
    outbound_allow: tuple[Network, ...] = ()
    psp: str | None = None
    media: str = ""
    media_url: str = ""

    @property
    def media_folder(self) -> Path:
        """Where the files of the merchants' pictures are, unless they are in a bucket."""
        return Path(self.media) if self.media else self.data_dir / "media"

    @property
    def media_bucket(self) -> Bucket | None:
        """The bucket that the files of the merchants' pictures are in, if they are in one."""
        return bucket_of(self.media) if self.media.startswith(_BUCKET) else None

    @property
    def media_base(self) -> str:
        """What stands before the pictures' files in pages."""
        return self.media_url or "/media"

    @property
    def media_origin(self) -> str | None:
        """The origin that pages load pictures from, where it is another one than their own."""
        parts = urlsplit(self.media_url)
        return f"{parts.scheme}://{parts.netloc}" if self.media_url else None

    mail_server: MailServer | None = None
    mail_from: Address = field(default_factory=lambda: DEMO_SENDER)
    operator_email: str = ""
    """Who is told by mail of what somebody has to look at."""
    stripe: StripeSettings | None = None

    @property
    def reachable(self) -> tuple[Network, ...]:
        """Networks beside the public ones that webhooks, key sets and feeds may be at."""
        # Whoever tries the product out runs the other servers on the same machine.
        return (*self.outbound_allow, *(LOOPBACK if self.demo else ()))

    @property
    def mail_folder(self) -> Path:
        """Where a demo without a mail server writes its mails."""
        return self.data_dir / "mail"

    @property
    def own_address(self) -> str:
        """Where this machine reaches the service, whatever its public URL."""
        host = self.bind_host
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{self.port}"  # noqa: S104

    @property
    def https(self) -> bool:
        """Whether people reach the service over https: decides about ``Secure`` cookies."""
        return self.public_url.startswith("https://")

    @property
    def public_host(self) -> str:
        """Host and port of the public URL, as shown to people."""
        return urlsplit(self.public_url).netloc

    @property
    def bind_host(self) -> str:
        """The address to listen on: loopback, unless people are to reach it without a proxy.

        With https there must be a proxy in front, which is best on this machine: who could go
        around it could forge the headers that it sets.
        """
        if self.bind:
            return self.bind
        parts = urlsplit(self.public_url)
        if parts.scheme == "https" or parts.hostname in {"127.0.0.1", "localhost", "::1"}:
            return "[::1]" if parts.hostname == "::1" else "127.0.0.1"
        return "0.0.0.0"  # noqa: S104 - the operator asked for it by naming a public host


def or_exit(build: Callable[[], T]) -> T:
    """Build something, or end the process with the one sentence that says why it can't.

    The exit status 4 tells gunicorn that trying again is of no use.
    """
    try:
        return build()
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before there is a log
        raise SystemExit(4) from None


def settings_from(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    :param environ: instead of the process environment; for tests.
    :raises ConfigError: with every problem in one message.
    """
    env = _Variables(os.environ if environ is None else environ)
    demo = env.bool("JAY_DEMO", False)
    port = env.int("PORT", 8000, validate=validate.Range(min=0, max=65535))
    data_dir = Path(env.str("JAY_DATA_DIR", "var")).absolute()
    database_url = env.str("JAY_DATABASE_URL", "", validate=_database_url)
    read_url = env.str("JAY_DATABASE_READ_URL", "", validate=_database_url)
    public_url = env.str("JAY_PUBLIC_URL", "", validate=_public_url)
    secret_key = env.str("JAY_SECRET_KEY", "", validate=_secret)
    older_secrets = env.str("JAY_SECRET_KEY_OLD", "", validate=_secrets)
    workers = env.int("WEB_CONCURRENCY", 2, validate=validate.Range(min=1, max=512))
    threads = env.int("JAY_THREADS", 4, validate=validate.Range(min=1, max=512))
    trusted_proxies = env.int("JAY_TRUSTED_PROXIES", 0, validate=validate.Range(min=0, max=10))
    keep_alive = env.int("JAY_KEEP_ALIVE", 5, validate=validate.Range(min=1, max=3600))
    limits = {
        name: env.int(f"JAY_{name.upper()}", most, validate=validate.Range(min=1))
        for name, most in _LIMITS.items()
    }
    bind = env.str("JAY_BIND", "")
    redis_url = env.str("JAY_REDIS_URL", "", validate=_redis_url)
    media = env.str("JAY_MEDIA", "", validate=_media)
    media_url = env.str("JAY_MEDIA_URL", "", validate=_media_url)
    psp = env.str("JAY_PSP", "sandbox" if demo else "", validate=validate.OneOf(["", *PSPS]))
    stripe = _stripe_from(env)
    # The older name stands as long as somebody uses it.
    allowed = [
        env.str(name, "", validate=_networks)
        for name in ("JAY_OUTBOUND_ALLOW", "JAY_WEBHOOK_ALLOW")
    ]
    smtp_url = env.str("JAY_SMTP_URL", "", validate=_with(mail_server))
    mail_from = env.str("JAY_MAIL_FROM", "", validate=_with(sender))
    operator_email = env.str("JAY_OPERATOR_EMAIL", "", validate=_with(mailbox))
    problems = [*_problems(env), *env.misspelt(), *(stripe.problems if psp == "stripe" else ())]
    if smtp_url and not mail_from:
        problems.append("JAY_MAIL_FROM: must be set with JAY_SMTP_URL: whom mails come from")
    if psp == "sandbox" and not demo:
        problems.append("JAY_PSP: the sandbox takes no money; it is for demo mode (JAY_DEMO=1)")
    if database_url and not (public_url or demo) and not database_url.startswith("sqlite"):
        problems.append("JAY_PUBLIC_URL: must be set with a server database: QR codes point to it")
    if database_url and secret_key == "" and not database_url.startswith("sqlite"):
        problems.append(
            "JAY_SECRET_KEY: must be set with a server database, the same for every process"
            " (python3 -c 'import secrets; print(secrets.token_urlsafe(32))' makes one)"
        )
    if problems:
        raise ConfigError("Cannot start: " + "; ".join(problems))
    return Settings(
        database_url=_with_driver(database_url) or f"sqlite:///{data_dir / 'jay.sqlite3'}",
        data_dir=data_dir,
        public_url=(public_url or f"http://127.0.0.1:{port}").rstrip("/").lower(),
        secret_key=Secret(secret_key or _own_secret(data_dir), _secrets(older_secrets)),
        demo=demo,
        port=port,
        workers=workers,
        threads=threads,
        trusted_proxies=trusted_proxies,
        keep_alive=keep_alive,
        bind=bind,
        redis_url=redis_url,
        database_read_url=_with_driver(read_url),
        outbound_allow=_networks(",".join(allowed)),
        psp=psp or None,
        media=media if media.startswith(_BUCKET) or not media else str(Path(media).absolute()),
        media_url=media_url.rstrip("/"),
        mail_server=mail_server(smtp_url) if smtp_url else None,
        mail_from=sender(mail_from) if mail_from else DEMO_SENDER,
        operator_email=operator_email,
        stripe=stripe.settings if psp == "stripe" else None,
        **limits,
    )


class _Variables(Env):
    """Variables of one mapping, or from the file that ``NAME_FILE`` names.

    An empty one is what ``X= make run`` means: not set.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._environ = dict(environ)
        self._asked: set[str] = set()

    def misspelt(self) -> list[str]:
        """Return a sentence for each ``JAY_*`` variable that nobody has asked for.

        One that is near to a name of ours was meant to be it; what is like none is another
        program's.
        """
        ours = {*self._asked, *(f"{name}_FILE" for name in self._asked)}
        found = []
        for name in sorted(set(self._environ) - ours):
            near = get_close_matches(name, sorted(ours), n=1, cutoff=0.8)
            if name.startswith("JAY_") and near and near[0] not in self._environ:
                found.append(f"{name}: is not known, did you mean {near[0]}?")
        return found

    def _get_value(self, env_key: str, default: Any) -> Any:
        self._asked.add(env_key)
        value, path = self._environ.get(env_key, ""), self._environ.get(f"{env_key}_FILE")
        try:
            value = Path(path).read_text() if path else value
        except (OSError, ValueError):
            self._errors[env_key].append(f"{env_key}_FILE must name a file that can be read.")
        return value.strip() or default


@dataclass(frozen=True)
class _Stripe:
    settings: StripeSettings
    problems: tuple[str, ...]


_STRIPE_MODES = {"live": "JAY_STRIPE_", "test": "JAY_STRIPE_TEST_"}


def _stripe_from(env: Env) -> _Stripe:
    """Read what is set of Stripe, each mode for itself: it is complete, or not there."""
    page = env.str("JAY_STRIPE_UI", ELEMENTS, validate=validate.OneOf([ELEMENTS, HOSTED]))
    modes: dict[str, StripeKeys | None] = {}
    problems: list[str] = []
    for mode, prefix in _STRIPE_MODES.items():
        begins = {
            "SECRET_KEY": (f"sk_{mode}_", f"rk_{mode}_"),
            "PUBLISHABLE_KEY": (f"pk_{mode}_",),
            "WEBHOOK_SECRET": ("whsec_",),
        }
        values = {name: env.str(prefix + name, "") for name in begins}
        webhooks = tuple(part.strip() for part in values["WEBHOOK_SECRET"].split(",") if part)
        missing = [prefix + name for name, value in values.items() if not value]
        if missing and len(missing) < len(values):
            problems.append(f"{', '.join(missing)}: must be set, too, for payments in {mode} mode")
        for name, starts in begins.items():
            given = webhooks if name == "WEBHOOK_SECRET" else (values[name],)
            if not all(one.startswith(starts) for one in given if one):
                problems.append(f"{prefix}{name}: must begin with {' or '.join(starts)}")
        modes[mode] = (
            None
            if missing
            else StripeKeys(values["SECRET_KEY"], values["PUBLISHABLE_KEY"], webhooks)
        )
    if not any(modes.values()) and not problems:
        problems.append(
            "JAY_STRIPE_SECRET_KEY, JAY_STRIPE_PUBLISHABLE_KEY, JAY_STRIPE_WEBHOOK_SECRET: must be"
            " set for JAY_PSP=stripe, or the three of JAY_STRIPE_TEST_... for its test mode"
        )
    return _Stripe(StripeSettings(page, modes["live"], modes["test"]), tuple(problems))


def _problems(env: Env) -> list[str]:
    try:
        env.seal()
    except EnvValidationError as error:
        by_name = cast("Mapping[str, list[str]]", error.error_messages)
        return [f"{name}: {' '.join(texts)}" for name, texts in by_name.items()]
    return []


def _database_url(value: str) -> None:
    if not value:
        return
    try:
        driver = make_url(_with_driver(value)).drivername
    except ArgumentError:
        raise ValidationError("is not an SQLAlchemy URL") from None
    if driver not in SUPPORTED_DATABASES:
        raise ValidationError(f"must begin with one of {', '.join(SUPPORTED_DATABASES)}")


def _redis_url(value: str) -> None:
    if not value:
        return
    try:
        # By name: it takes 0.1 s, which who has no Redis does not pay.
        pool = import_module("redis").ConnectionPool
        pool.from_url(value.replace("redis+unix://", "unix://", 1))
    except ValueError:
        raise ValidationError(
            "must be redis://host:6379/0, rediss://... or redis+unix:///path"
        ) from None
    if not value.startswith(("redis://", "rediss://", "redis+unix://")):
        raise ValidationError("must begin with redis://, rediss:// or redis+unix://")


def _with_driver(url: str) -> str:
    """Name the driver where a URL leaves it out, as hosting services do."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if separator and scheme in PLAIN_POSTGRESQL else url


def _public_url(value: str) -> None:
    if not value:
        return
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        usable = False
    if not usable:
        raise ValidationError("must be an http or https URL")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValidationError("must be an origin, without path, query or user name")


def _with(read: Callable[[str], object]) -> Callable[[str], None]:
    """Let what reads a value say what is wrong with it."""

    def check(value: str) -> None:
        try:
            if value:
                read(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    return check


def _media(value: str) -> None:
    if value.startswith(_BUCKET):
        _with(bucket_of)(value)
    elif "://" in value:
        raise ValidationError("must be a folder, or s3://bucket/prefix?endpoint=...&region=...")


def _media_url(value: str) -> None:
    if not value:
        return
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    # It becomes part of a header and of pages.
    if not usable or parts.query or parts.fragment or parts.username or set(value) & set(" ;,'\""):
        raise ValidationError("must be an http or https URL without query or user name")


def _networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError as error:
        raise ValidationError(f"must list networks such as 10.0.0.0/8: {error}") from None


def _secret(value: str) -> None:
    if value and len(value.encode()) < SECRET_BYTES:
        raise ValidationError(f"is shorter than {SECRET_BYTES} bytes")
    if value and len(set(value)) < 10:
        raise ValidationError("looks like an example: choose a random one")


def _secrets(value: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    for each in found:
        _secret(each)
    return found


def make_data_dir(data_dir: Path) -> None:
    """Make the folder of everything that is stored on this machine, its owner's alone.

    :raises ConfigError: it can't be made.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(data_dir, error) from error


def _unusable(data_dir: Path, error: OSError) -> ConfigError:
    reason = "a file has its name" if isinstance(error, FileExistsError) else error.strerror
    return ConfigError(
        f"Cannot start: the data directory {data_dir} can't be used ({reason});"
        " JAY_DATA_DIR names another one"
    )


def open_to_others(data_dir: Path) -> list[str]:
    """Return what in the data directory other accounts of this machine can read or change."""
    if not data_dir.is_dir() or not data_dir.stat().st_mode & 0o011:
        return []  # nobody else gets in, whatever the files allow
    return sorted(entry.name for entry in data_dir.iterdir() if entry.stat().st_mode & 0o077)


def _own_secret(data_dir: Path) -> str:
    """Return this machine's own secret, made at first start and readable by its owner alone."""
    path = data_dir / "secret-key"
    make_data_dir(data_dir)
    try:
        secret = _kept_secret(path)
    except OSError as error:
        raise _unusable(data_dir, error) from error
    try:
        _secret(secret or "-")
    except ValidationError as error:
        raise ConfigError(f"Cannot start: the secret in {path} {error.messages[0]}") from None
    return secret


def _kept_secret(path: Path) -> str:
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600)
        with draft.open("w") as file:
            file.write(secrets.token_urlsafe(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())  # an empty secret after a power cut would seal nothing
        try:
            # A link fails where the name is taken: of two first starts at once, one wins.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
