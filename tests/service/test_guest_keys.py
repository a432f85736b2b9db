"""This service's own key pairs: made once, rotated without logging anybody out."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from joserfc import jws, jwt
from joserfc.jwk import OKPKey
from sqlalchemy import func, select

from jay.auth.guest_keys import GuestKeys
from jay.auth.jwks import RemoteKeySets
from jay.auth.models import GUEST_TOKEN_LIFETIME, signing_keys
from jay.auth.signatures import REGISTRIES
from jay.auth.tokens import Tokens
from jay.config import ConfigError
from jay.db.database import Database
from jay.errors import TokenKeyUnknown
from jay.net.client import Client
from tests.clock import NOON, MovedClock
from tests.unit.makers import a_partner

SECRET = "k3J9-vQ2xW7zR5tY1uB8nM4cL6pD0fGh"
PRIVATE_MEMBERS = {"d", "k", "p", "q", "dp", "dq", "qi", "oth"}
PARTNER = a_partner()


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    found = Database(new_database_url)
    yield found
    found.dispose()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(NOON)


def process(database: Database, clock: MovedClock, secret: str = SECRET) -> Tokens:
    """What one process of the service has."""
    return Tokens(GuestKeys(database, secret, clock), RemoteKeySets(Client(())), clock, secret)


def token_of(tokens: Tokens, clock: MovedClock, user_id: str = "g-1") -> str:
    return tokens.issue(user_id=user_id, partner=PARTNER, now=clock.now)[0]


def rotate(database: Database, tokens: Tokens, clock: MovedClock) -> str:
    with database.transaction() as connection:
        return tokens.guest_keys.rotate(connection, now=clock.now)


def rows(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(signing_keys)).scalar_one()


def test_a_token_is_the_one_that_joserfc_signs(database: Database, clock: MovedClock) -> None:
    tokens = process(database, clock)
    claims = {"iss": "jay-basket", "aud": 'kin\u00f6 \u2028/"\\', "sub": "g-1", "exp": 4102444800}

    token = tokens.guest_keys.sign(claims)

    kid = jws.extract_compact(token.encode()).headers()["kid"]
    found = tokens.guest_keys.find(kid)
    assert found is not None
    header = {"alg": "EdDSA", "kid": kid, "typ": "guest+jwt"}
    assert token == jwt.encode(header, claims, found[0], registry=REGISTRIES["EdDSA"])


def test_a_process_remembers_so_many_tokens_at_most(
    database: Database, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jay.auth.tokens.CACHED_TOKENS", 3)
    tokens = process(database, clock)

    for number in range(5):
        tokens.verify(token_of(tokens, clock, f"g-{number}"), PARTNER, now=clock.now)

    assert len(tokens._verified) == 3


def test_ten_first_starts_at_once_make_one_key(new_database_url: str, clock: MovedClock) -> None:
    databases = [Database(new_database_url) for _ in range(10)]
    barrier, kids, errors = threading.Barrier(10), [], []

    def start(database: Database) -> None:
        keys = GuestKeys(database, SECRET, clock)
        barrier.wait()
        try:
            kids.append([key["kid"] for key in keys.key_set()["keys"]])
        except Exception as error:  # noqa: BLE001 - any one fails the test
            errors.append(error)

    threads = [threading.Thread(target=start, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = rows(databases[0])
    for database in databases:
        database.dispose()

    assert errors == []
    assert made == 1
    assert len(kids) == 10
    assert len({tuple(found) for found in kids}) == 1


def test_ten_threads_of_one_process_make_one_key(database: Database, clock: MovedClock) -> None:
    tokens, barrier = process(database, clock), threading.Barrier(10)
    made = []

    def start() -> None:
        barrier.wait()
        made.append(token_of(tokens, clock))

    threads = [threading.Thread(target=start) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert rows(database) == 1
    # Deterministic signatures: the same admission gives the same token, whoever asks.
    assert len(made) == 10
    assert len(set(made)) == 1


def test_a_token_of_one_process_is_valid_in_another(database: Database, clock: MovedClock) -> None:
    token = token_of(process(database, clock), clock)

    user = process(database, clock).verify(token, PARTNER, now=clock.now)

    assert (user.user_id, user.guest, user.partner_id) == ("g-1", True, PARTNER.id)


def test_two_processes_give_the_same_admission_the_same_token(
    database: Database, clock: MovedClock
) -> None:
    one, other = process(database, clock), process(database, clock)

    assert token_of(one, clock) == token_of(other, clock)


def test_a_guest_token_is_signed_with_eddsa_and_typed(
    database: Database, clock: MovedClock
) -> None:
    tokens = process(database, clock)

    header = jws.extract_compact(token_of(tokens, clock).encode()).headers()

    kid = tokens.guest_keys.key_set()["keys"][0]["kid"]
    assert header == {"alg": "EdDSA", "kid": kid, "typ": "guest+jwt"}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_anybody_can_verify_a_guest_token_with_the_published_key(
    database: Database, clock: MovedClock
) -> None:
    tokens = process(database, clock)

    published = OKPKey.import_key(tokens.guest_keys.key_set()["keys"][0])
    claims = jwt.decode(token_of(tokens, clock), published, algorithms=["EdDSA"]).claims

    assert claims["sub"] == "g-1"
    assert claims["aud"] == PARTNER.name
    assert claims["exp"] - claims["iat"] == 30 * 24 * 3600


def test_rotation_keeps_old_tokens_valid_and_signs_with_the_new_key(
    database: Database, clock: MovedClock
) -> None:
    tokens = process(database, clock)
    old = token_of(tokens, clock)
    new_kid = rotate(database, tokens, clock)
    clock.move(60)

    new = token_of(tokens, clock)

    assert jws.extract_compact(new.encode()).headers()["kid"] == new_kid
    assert jws.extract_compact(old.encode()).headers()["kid"] != new_kid
    for token in (old, new):
        assert tokens.verify(token, PARTNER, now=clock.now).user_id == "g-1"
        assert process(database, clock).verify(token, PARTNER, now=clock.now).user_id == "g-1"


def test_after_a_rotation_both_public_keys_are_published(
    database: Database, clock: MovedClock
) -> None:
    tokens = process(database, clock)
    before = tokens.guest_keys.key_set()["keys"]

    rotate(database, tokens, clock)
    clock.move(60)

    after = tokens.guest_keys.key_set()["keys"]
    assert len(after) == 2
    assert before[0] in after


def test_a_process_learns_a_new_key_from_the_first_token_that_names_it(
    database: Database, clock: MovedClock
) -> None:
    waiting, rotating = process(database, clock), process(database, clock)
    token_of(waiting, clock)
    rotate(database, rotating, clock)
    clock.move(2)

    token = token_of(process(database, clock), clock)

    assert waiting.verify(token, PARTNER, now=clock.now).user_id == "g-1"


def test_rotating_twice_keeps_all_three_keys(database: Database, clock: MovedClock) -> None:
    tokens = process(database, clock)
    old = token_of(tokens, clock)
    for _ in range(2):
        clock.move(60)
        rotate(database, tokens, clock)
    clock.move(60)

    assert rows(database) == 3
    assert tokens.verify(old, PARTNER, now=clock.now).user_id == "g-1"


class Watched(GuestKeys):
    """Notes what is assigned: between two assignments another thread may look."""

    def __setattr__(self, name: str, value: object) -> None:
        self.__dict__.setdefault("assigned", []).append(name)
        super().__setattr__(name, value)


def test_other_threads_never_see_half_of_what_was_loaded(
    database: Database, clock: MovedClock
) -> None:
    keys = Watched(database, SECRET, clock)
    first = keys.key_set()["keys"][0]["kid"]
    with database.transaction() as connection:
        keys.rotate(connection, now=clock.now)
    clock.move(60)
    assigned: list[str] = keys.__dict__["assigned"]
    assigned.clear()

    retired, active = (keys.find(key["kid"]) for key in keys.key_set()["keys"])

    assert assigned == ["_known"]
    assert retired is not None
    assert active is not None
    assert (retired[0].kid, retired[1] is None, active[1]) == (first, False, None)


def forged(tokens: Tokens, kid: str, issued: datetime | None, expires: datetime) -> str:
    """Make a token as who has stolen a private key can."""
    found = tokens.guest_keys.find(kid)
    assert found is not None
    claims: dict[str, object] = {"iss": "jay-basket", "aud": PARTNER.name, "sub": "g-1"}
    claims |= {"exp": int(expires.timestamp())}
    claims |= {} if issued is None else {"iat": int(issued.timestamp())}
    header = {"alg": "EdDSA", "kid": kid, "typ": "guest+jwt"}
    return jwt.encode(header, claims, found[0], registry=REGISTRIES["EdDSA"])


def test_who_has_stolen_a_retired_key_can_make_no_token_of_a_later_time(
    database: Database, clock: MovedClock
) -> None:
    tokens = process(database, clock)
    token_of(tokens, clock)
    (old,) = tokens.guest_keys.key_set()["keys"]
    rotate(database, tokens, clock)
    retired = clock.now
    clock.move(3600)
    tokens.guest_keys.key_set()
    others = retired + timedelta(seconds=60)  # noticed by the other processes within a minute

    for issued, expires, taken in (
        (others, others + GUEST_TOKEN_LIFETIME, True),
        (others + timedelta(seconds=31), clock.now + timedelta(days=1), False),
        (others, others + GUEST_TOKEN_LIFETIME + timedelta(seconds=31), False),
        (None, clock.now + timedelta(days=1), False),
    ):
        token = forged(tokens, old["kid"], issued, expires)
        if taken:
            assert tokens.verify(token, PARTNER, now=clock.now).user_id == "g-1"
        else:
            with pytest.raises(TokenKeyUnknown):
                tokens.verify(token, PARTNER, now=clock.now)


@pytest.mark.parametrize("rotated", [True, False], ids=["retired", "active"])
def test_a_revoked_key_opens_nothing_in_any_process_two_minutes_later(
    database: Database, clock: MovedClock, rotated: bool
) -> None:
    revoking, other = process(database, clock), process(database, clock)
    token = token_of(revoking, clock)
    kid = revoking.guest_keys.key_set()["keys"][0]["kid"]
    other.verify(token, PARTNER, now=clock.now)
    if rotated:
        rotate(database, revoking, clock)

    with database.transaction() as connection:
        assert revoking.guest_keys.revoke(connection, kid, now=clock.now)
        assert not revoking.guest_keys.revoke(connection, kid, now=clock.now)
    clock.move(120)

    for tokens in (revoking, other):
        with pytest.raises(TokenKeyUnknown):
            tokens.verify(token, PARTNER, now=clock.now)
        assert kid not in {key["kid"] for key in tokens.guest_keys.key_set()["keys"]}
        new = token_of(tokens, clock)
        assert tokens.verify(new, PARTNER, now=clock.now).user_id == "g-1"


def test_a_key_that_was_never_ours_is_unknown(database: Database, clock: MovedClock) -> None:
    tokens = process(database, clock)
    token_of(tokens, clock)
    stranger = OKPKey.generate_key("Ed25519", {"kid": "jay-guest-0000000000000000"})
    header = {"alg": "EdDSA", "kid": stranger.kid, "typ": "guest+jwt"}
    registry = jws.JWSRegistry(algorithms=["EdDSA"])
    with pytest.warns(match="EdDSA"):
        token = jwt.encode(header, {"sub": "g-1"}, stranger, registry=registry)

    with pytest.raises(TokenKeyUnknown):
        tokens.verify(token, PARTNER, now=clock.now)


def test_another_secret_key_is_refused_at_the_start(database: Database, clock: MovedClock) -> None:
    process(database, clock).guest_keys.key_set()

    other = process(database, clock, secret=SECRET[::-1])

    with pytest.raises(ConfigError, match="JAY_SECRET_KEY"):
        other.guest_keys.key_set()
    assert rows(database) == 1


def test_the_published_key_set_has_no_private_parts(database: Database, clock: MovedClock) -> None:
    keys = process(database, clock).guest_keys.key_set()["keys"]

    assert [set(key) & PRIVATE_MEMBERS for key in keys] == [set()]
    assert {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA"}.items() <= keys[0].items()
    assert keys[0]["kid"].startswith("jay-guest-")


def test_the_database_holds_the_private_key_sealed(database: Database, clock: MovedClock) -> None:
    tokens = process(database, clock)
    public = tokens.guest_keys.key_set()["keys"][0]

    with database.reading() as connection:
        stored = connection.execute(select(signing_keys.c.private_key)).scalar_one()

    assert stored.count(".") == 4  # JWE in its compact form (RFC 7516)
    assert public["x"] not in stored
    assert '"d"' not in stored
