"""How pictures stand in the tiles of pages."""

import pytest

from jay.products.showing import Image


@pytest.mark.parametrize(
    ("size", "colour", "fit"),
    [
        ((320, 320), "#203040", ""),
        ((320, 256), "#203040", ""),
        ((256, 320), "#ffffff", ""),
        ((240, 320), "#f4f5f8", "whole"),
        ((320, 100), "#f4f5f8", "whole"),
        ((320, 100), "#c02030", "whole mat"),
        ((240, 320), "#8c9096", "whole"),
        ((240, 320), "#33363a", "whole mat"),
        ((100, 320), "", "whole mat"),
    ],
)
def test_what_would_lose_much_in_a_square_is_shown_whole(
    size: tuple[int, int], colour: str, fit: str
) -> None:
    assert Image("/a.jpg", *size, colour=colour).fit == fit
