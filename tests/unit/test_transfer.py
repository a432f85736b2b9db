"""The transfer: one minute, one winner, and secrets that say nothing about each other."""

import re
from datetime import timedelta
from typing import Any

import pytest

from jay.sealing import hash_secret
from jay.transfers import pairs
from jay.transfers.models import (
    CLAIM_WINDOW,
    CODE_ALPHABET,
    CODE_LENGTH,
    PAIRS,
    Secrets,
    Transfer,
    TransferState,
    read_code,
    spaced_code,
    with_parameters,
)
from tests.clock import NOON


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def offered(**fields: Any) -> Transfer:
    """A transfer that was offered at noon."""
    values = {"url": None, "pair": "fox", "kiosk": False, "created": NOON}
    return Transfer(
        **{
            "routing_key": 1,
            "code_hash": "c",
            "partner_id": 1,
            "basket_key": 2,
            "basket_id": "b",
            "expires": NOON + CLAIM_WINDOW,
            **values,
            **fields,
        }
    )


# --- the minute


def test_the_window_is_the_minute_of_the_contract() -> None:
    assert seconds(60) == CLAIM_WINDOW


@pytest.mark.parametrize("after", [0, 1, 59.999, 59.999999])
def test_a_transfer_can_be_claimed_within_its_minute(after: float) -> None:
    assert offered().claimable(NOON + seconds(after))


@pytest.mark.parametrize("after", [60, 60.000001, 61, 86400])
def test_a_transfer_is_dead_from_exactly_sixty_seconds_on(after: float) -> None:
    assert not offered().claimable(NOON + seconds(after))
    assert offered().state(NOON + seconds(after)) is TransferState.EXPIRED


@pytest.mark.parametrize("opened", [None, NOON + seconds(3)])
def test_having_been_opened_wins_no_time(opened: Any) -> None:
    assert not offered(opened=opened).claimable(NOON + seconds(60))


# --- states


@pytest.mark.parametrize(
    ("fields", "after", "state"),
    [
        ({}, 0, TransferState.PENDING),
        ({"opened": NOON}, 59, TransferState.OPENED),
        ({"opened": NOON}, 60, TransferState.EXPIRED),
        ({"cancelled": NOON}, 1, TransferState.CANCELLED),
        ({"cancelled": NOON}, 60, TransferState.CANCELLED),
        ({"claimed": NOON}, 1, TransferState.CLAIMED),
        ({"claimed": NOON, "opened": NOON}, 60, TransferState.CLAIMED),
        ({"claimed": NOON, "cancelled": NOON}, 1, TransferState.CLAIMED),
    ],
)
def test_the_state_at_a_moment(fields: dict[str, Any], after: int, state: TransferState) -> None:
    assert offered(**fields).state(NOON + seconds(after)) is state


@pytest.mark.parametrize(
    ("fields", "claimable"),
    [
        ({}, True),
        ({"opened": NOON}, True),
        ({"cancelled": NOON}, False),
        ({"claimed": NOON}, False),
    ],
)
def test_only_pending_and_opened_transfers_can_be_claimed(
    fields: dict[str, Any], claimable: bool
) -> None:
    assert offered(**fields).claimable(NOON + seconds(1)) is claimable


def test_the_states_have_the_names_of_the_contract() -> None:
    assert {str(state) for state in TransferState} == {
        "pending",
        "opened",
        "claimed",
        "expired",
        "cancelled",
    }


# --- seconds left


@pytest.mark.parametrize(
    ("after", "left"),
    [(0, 60), (0.001, 60), (0.999, 60), (1, 59), (1.5, 59), (59, 1), (59.999, 1), (60, 0), (61, 0)],
)
def test_the_seconds_left_are_rounded_up(after: float, left: int) -> None:
    assert offered().seconds_left(NOON + seconds(after)) == left


@pytest.mark.parametrize("fields", [{"claimed": NOON}, {"cancelled": NOON}])
def test_no_seconds_are_left_when_it_is_over(fields: dict[str, Any]) -> None:
    assert offered(**fields).seconds_left(NOON) == 0


# --- the winner, and the screen


def test_the_winner_proves_it_with_what_it_claimed_with() -> None:
    won = offered(claimed=NOON, claimant_hash=hash_secret("browser 1"))

    assert won.claimed_through("browser 1")
    assert not won.claimed_through("browser 2")
    assert not won.claimed_through(None)


def test_nobody_has_won_what_is_not_claimed() -> None:
    assert not offered(claimant_hash=hash_secret("browser 1")).claimed_through("browser 1")


def test_a_winner_without_a_proof_can_not_be_taken_for_another_one_without() -> None:
    assert not offered(claimed=NOON, claimant_hash=None).claimed_through(None)


@pytest.mark.parametrize(
    ("after", "renewable"), [(-3600, False), (-2, True), (0, True), (3599.9, True), (3600, False)]
)
def test_a_screen_may_ask_for_a_new_code_for_one_hour(after: float, renewable: bool) -> None:
    assert offered().renewable(NOON + seconds(after)) is renewable


# --- secrets


def test_the_secrets_follow_from_the_display_token_alone() -> None:
    drawn = Secrets.fresh()

    again = Secrets(drawn.display_token)

    assert (again.jay_token, again.user_code, again.pair) == (
        drawn.jay_token,
        drawn.user_code,
        drawn.pair,
    )


def test_every_transfer_has_secrets_of_its_own_and_all_are_different() -> None:
    drawn = [Secrets.fresh() for _ in range(500)]

    tokens = {token for one in drawn for token in (one.display_token, one.jay_token)}
    assert len(tokens) == 1000
    assert len({one.user_code for one in drawn}) == 500


@pytest.mark.parametrize("name", ["display_token", "jay_token"])
def test_a_token_is_128_bits_that_need_no_escaping_in_a_url(name: str) -> None:
    for _ in range(50):
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", getattr(Secrets.fresh(), name))


def test_the_jay_token_does_not_reveal_the_display_token() -> None:
    # Deriving is one-way and keyed by the display token: the jayToken leads to no other secret.
    drawn = Secrets.fresh()
    from_the_qr_code = Secrets(drawn.jay_token)

    reachable = {
        drawn.jay_token,
        from_the_qr_code.jay_token,
        hash_secret(drawn.jay_token),
        hash_secret(drawn.jay_token)[:22],
    }
    assert drawn.display_token not in reachable
    assert from_the_qr_code.user_code != drawn.user_code
    shared = sum(a == b for a, b in zip(drawn.display_token, drawn.jay_token, strict=True))
    assert shared < 11


def test_a_small_change_of_the_display_token_changes_everything_else() -> None:
    one, other = Secrets("A" * 22), Secrets("A" * 21 + "B")

    assert one.jay_token != other.jay_token
    assert one.user_code != other.user_code


def test_a_short_code_has_eight_characters_without_look_alikes() -> None:
    codes = "".join(Secrets.fresh().user_code for _ in range(500))

    assert len(codes) == 500 * 8
    assert set(codes) == set(CODE_ALPHABET)
    assert not set("01OIL") & set(CODE_ALPHABET)
    assert len(CODE_ALPHABET) == len(set(CODE_ALPHABET)) == 31
    assert CODE_LENGTH == 8


def test_only_hashes_are_stored_and_they_are_those_of_the_secrets() -> None:
    drawn = Secrets.fresh()

    assert drawn.hashes() == {
        "display_hash": hash_secret(drawn.display_token),
        "token_hash": hash_secret(drawn.jay_token),
        "code_hash": hash_secret(drawn.user_code),
    }
    assert all(re.fullmatch(r"[0-9a-f]{64}", stored) for stored in drawn.hashes().values())


def test_every_pair_turns_up_and_has_words_and_a_picture() -> None:
    turned_up = {Secrets.fresh().pair for _ in range(1000)}

    assert turned_up == set(PAIRS) == set(pairs.WORDS)


# --- the short code as people type it


@pytest.mark.parametrize(
    "typed", ["K7PM4XQD", "k7pm4xqd", "K7PM 4XQD", " k7pm-4xqd ", "K7.PM\t4X QD", "K7PM\u00a04XQD"]
)
def test_typing_a_code_forgives_case_and_separators(typed: str) -> None:
    assert read_code(typed) == "K7PM4XQD"


@pytest.mark.parametrize(
    "typed",
    [
        "Code: K7PM-4XQD",
        "Der Code ist K7PM 4XQD.",
        "K7PM 4XQD is your code for Kino Nord",
        "https://basket.example/code K7PM4XQD",
        "Ｋ７ＰＭ　４ＸＱＤ",  # noqa: RUF001
        "К7РМ 4ХQD",  # noqa: RUF001 - Cyrillic
        "k\u0667pm \u06f4xqd",
        "K7PM\u20114XQD",
        "K 7 P M 4 X Q D",
        "\u200bK7PM\u200b4XQD\ufeff",
        "K7PM4XQD K7PM4XQD",
    ],
)
def test_pasting_a_code_forgives_words_and_other_forms_of_its_characters(typed: str) -> None:
    assert read_code(typed) == "K7PM4XQD"


@pytest.mark.parametrize("typed", ["", " ", "K7PM", "K7PM4XQ", "\0", "\ud800", "😀" * 100])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert len(read_code(typed)) != CODE_LENGTH


def test_a_code_is_written_in_two_groups_that_can_be_typed_as_they_stand() -> None:
    assert spaced_code("K7PM4XQD") == "K7PM 4XQD"
    assert read_code(spaced_code("K7PM4XQD")) == "K7PM4XQD"


# --- the web shop's URL


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example", "https://shop.example?a=1&b=x"),
        ("https://shop.example/", "https://shop.example/?a=1&b=x"),
        ("https://shop.example/p?", "https://shop.example/p?a=1&b=x"),
        (
            "https://shop.example/p?q=%20+%2F&empty=",
            "https://shop.example/p?q=%20+%2F&empty=&a=1&b=x",
        ),
        ("https://shop.example/p#part?x=1", "https://shop.example/p?a=1&b=x#part?x=1"),
        ("https://shop.example/p?q=1#/a/b", "https://shop.example/p?q=1&a=1&b=x#/a/b"),
        ("https://shop.example:8443/p;v=1", "https://shop.example:8443/p;v=1?a=1&b=x"),
    ],
)
def test_parameters_are_added_and_query_and_fragment_are_kept(url: str, expected: str) -> None:
    assert with_parameters(url, {"a": "1", "b": "x"}) == expected


def test_values_of_parameters_are_escaped() -> None:
    assert (
        with_parameters("https://s.example/", {"a": "&b=1#"}) == "https://s.example/?a=%26b%3D1%23"
    )
