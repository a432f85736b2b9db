"""Search: what products are found by, and how a query is read."""

import pytest

from jay.products.search import MAX_BYTES, Query, fold, read_query, search_text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Kapuzenpullover", "kapuzenpullover"),
        ("ÄRMEL", "armel"),
        ("a\u0308rmel", "armel"),
        ("Größe 38½", "grosse 381\u20442"),
        ("Crème  Brûlée\n", "creme brulee"),
        ("\uff26\uff35\uff2c\uff2c", "full"),
        ("İstanbul", "istanbul"),
        ("50% off_", "50% off_"),
        ("a\0b", "a b"),
        ("\ud800", "\ud800"),
        ("", ""),
    ],
)
def test_case_accents_and_repeated_spaces_do_not_count(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(folded) == folded


def test_a_product_is_found_by_name_brand_and_all_its_skus() -> None:
    text = search_text(name="Blouson", brand="Nordhalm", sku="NJ-1", variants=["NJ-1-S", "NJ-1-M"])

    assert text == "blouson nordhalm nj-1 nj-1-s nj-1-m"


def test_what_is_stored_fits_into_an_index_and_is_never_cut_inside_a_letter() -> None:
    text = search_text(name="\U0001f600" * 500, brand="x" * 500, sku="y" * 200)

    assert text == "\U0001f600" * (MAX_BYTES // 4)


def test_what_no_database_can_store_is_left_out() -> None:
    assert search_text(name="a\ud800b", brand="", sku="x").encode() == b"a?b x"


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("", Query()),
        ("  \n ", Query()),
        ("Hoodie", Query(("hoodie",))),
        ("Größe  XL hoodie XL", Query(("grosse", "xl", "hoodie"))),
        ("demo-shop/de-DE/NORD 1", Query(("nord 1",), "demo-shop", "de", "DE")),
        ("DEMO-SHOP/DE-de/", Query((), "demo-shop", "de", "DE")),
        ("a/b-c/d", Query(("a/b-c/d",))),
        (" ".join("abcdefghijkl"), Query(tuple("abcdefgh"))),
        ("x" * 10_000, Query(("x" * 200,))),
    ],
)
def test_a_query_is_words_or_a_product_id(typed: str, query: Query) -> None:
    assert read_query(typed) == query
