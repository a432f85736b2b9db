"""Pictures are hostile input: each becomes a right picture in a few sizes, or a reason."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from jay.pictures import reading
from jay.pictures.models import MAX_BYTES, Reason, Unusable, fitted, sizes_of
from jay.pictures.reading import Drawn, Reader
from tests import photos


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as running:
        yield running


def opened(drawn: Drawn, ending: str) -> Image.Image:
    name = next(name for name in drawn.files if name.endswith(ending))
    return Image.open(io.BytesIO(drawn.files[name]))


def near(pixel: object, colour: tuple[int, int, int], within: int = 14) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) <= within for one, other in zip(pixel, colour, strict=True))


def reason_of(reader: Reader, content: bytes) -> Reason:
    with pytest.raises(Unusable) as refused:
        reader.read(content)
    return refused.value.reason


def test_a_photograph_is_there_in_a_few_sizes_for_new_and_old_engines(reader: Reader) -> None:
    drawn = reader.read(photos.jpeg(900, 1200))

    sizes = {name.partition("-")[2]: len(content) for name, content in drawn.files.items()}
    assert list(sizes) == ["160.webp", "320.webp", "640.webp", "320.jpg", "640.jpg"]
    assert opened(drawn, "-640.jpg").size == (480, 640)
    assert opened(drawn, "-160.webp").size == (120, 160)
    assert (opened(drawn, ".webp").format, opened(drawn, ".jpg").format) == ("WEBP", "JPEG")
    assert (drawn.picture.width, drawn.picture.height) == (900, 1200)
    for kind in ("webp", "jpg"):  # what the pages say is what is there
        for file in drawn.picture.files(kind):
            assert Image.open(io.BytesIO(drawn.files[file.name])).size == (file.width, file.height)


def test_a_small_picture_is_never_drawn_larger(reader: Reader) -> None:
    drawn = reader.read(photos.saved(photos.halves((100, 60)), "PNG"))

    assert [name.partition("-")[2] for name in drawn.files] == ["160.webp", "320.jpg"]
    assert opened(drawn, ".jpg").size == (100, 60)


def test_the_same_content_has_the_same_name(reader: Reader) -> None:
    first, again = (reader.read(photos.cmyk()).picture.digest for _ in range(2))

    assert first == again != reader.read(photos.turned()).picture.digest


def test_what_a_camera_has_held_upright_is_shown_upright(reader: Reader) -> None:
    drawn = reader.read(photos.turned())

    picture = opened(drawn, ".jpg")
    assert (drawn.picture.width, drawn.picture.height) == (200, 400)
    assert picture.size == (160, 320)
    assert near(picture.getpixel((80, 40)), photos.RED)
    assert near(picture.getpixel((80, 280)), photos.BLUE)


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        pytest.param(photos.cmyk(), photos.RED, id="CMYK"),
        pytest.param(photos.other_profile(), (40, 30, 200), id="another profile"),
        pytest.param(photos.grey_in_16_bits(), (128, 128, 128), id="16 bits"),
        pytest.param(photos.animated(), photos.RED, id="animated: the first picture"),
        pytest.param(photos.transparent(), photos.RED, id="transparent"),
    ],
)
def test_every_notation_of_colours_becomes_srgb(
    reader: Reader, content: bytes, colour: tuple[int, int, int]
) -> None:
    picture = opened(reader.read(content), ".jpg")

    middle = picture.width // 2, picture.height // 2
    assert near(picture.getpixel(middle), colour, within=40 if colour == (40, 30, 200) else 14)
    assert picture.mode == "RGB"
    assert "icc_profile" not in picture.info
    assert not picture.getexif()


def test_what_is_transparent_stands_on_white(reader: Reader) -> None:
    drawn = reader.read(photos.transparent())

    assert near(opened(drawn, ".jpg").getpixel((5, 5)), photos.WHITE, within=3)
    assert drawn.picture.colour == "#ffffff"


@pytest.mark.parametrize("size", [(300, 300), (16, 1800), (5000, 16), (16, 16)])
def test_its_colour_is_the_one_that_most_of_it_has(reader: Reader, size: tuple[int, int]) -> None:
    drawn = reader.read(photos.saved(Image.new("RGB", size, photos.BLUE), "PNG"))

    assert near(tuple(bytes.fromhex(drawn.picture.colour[1:])), photos.BLUE)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "AVIF", "JPEG"])
def test_a_kind_is_told_by_the_bytes(reader: Reader, kind: str) -> None:
    assert reader.read(photos.saved(photos.halves(), kind)).picture.width == 400


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(photos.SVG, Reason.SVG, id="SVG with script"),
        pytest.param(b"\xef\xbb\xbf \n" + photos.SVG, Reason.SVG, id="SVG behind a mark"),
        pytest.param(photos.HTML, Reason.WEB_PAGE, id="a web page"),
        pytest.param(b"", Reason.UNKNOWN_KIND, id="nothing"),
        pytest.param(b"BM" + bytes(100), Reason.UNKNOWN_KIND, id="a bitmap"),
        pytest.param(photos.jpeg(600, 400)[:4000], Reason.BROKEN, id="cut off"),
        pytest.param(b"\xff\xd8\xff" + bytes(500), Reason.BROKEN, id="lies about its kind"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + photos.SVG, Reason.BROKEN, id="a PNG with SVG in it"),
        pytest.param(photos.bomb(30_000, 30_000), Reason.TOO_MANY_PIXELS, id="a bomb"),
        pytest.param(photos.bomb(7_000, 7_000), Reason.TOO_COSTLY, id="a bomb below the limit"),
        pytest.param(photos.bomb(1, 1), Reason.TOO_SMALL, id="a counting pixel"),
        pytest.param(bytes(MAX_BYTES + 1), Reason.TOO_LARGE, id="a huge file"),
    ],
)
def test_what_is_no_picture_has_a_reason(reader: Reader, content: bytes, reason: Reason) -> None:
    assert reason_of(reader, content) == reason
    # And whatever that was, the next one is read.
    assert reader.read(photos.saved(photos.halves((32, 32)), "PNG")).picture.width == 32


def test_a_large_photograph_is_read_in_little_memory(reader: Reader) -> None:
    drawn = reader.read(photos.saved(Image.new("RGB", (8_000, 6_000), photos.RED), "JPEG"))

    assert (drawn.picture.width, drawn.picture.height) == (8_000, 6_000)
    assert opened(drawn, "-640.jpg").size == (640, 480)


def test_what_takes_too_much_memory_or_time_ends_alone() -> None:
    with Reader(memory=8 << 20) as little:
        assert reason_of(little, photos.saved(photos.halves((3_000, 2_000)), "PNG")) == (
            Reason.TOO_COSTLY
        )
        assert little.read(photos.saved(photos.halves((64, 64)), "PNG")).picture.width == 64
    with Reader(seconds=0) as hurried:
        assert reason_of(hurried, photos.jpeg(300, 300)) == Reason.TOO_COSTLY


def test_the_process_that_draws_can_be_killed_and_comes_back(reader: Reader) -> None:
    with Reader() as own:
        own.read(photos.saved(photos.halves((64, 64)), "PNG"))
        assert own.process_id is not None
        os.kill(own.process_id, 9)
        assert reason_of(own, photos.saved(photos.halves((64, 64)), "PNG")) == Reason.TOO_COSTLY
        assert own.read(photos.saved(photos.halves((64, 64)), "PNG")).picture.width == 64


def test_the_process_that_draws_gets_no_environment(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAY_SECRET_KEY", "a secret that a picture must not reach")
    with Reader() as own:
        own.read(photos.saved(photos.halves((64, 64)), "PNG"))
        assert Path(f"/proc/{own.process_id}/environ").read_bytes() == b""


LIST_OPEN = """
import importlib.util, json, os, sys
spec = importlib.util.spec_from_file_location("drawing", sys.argv[1])
drawing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(drawing)
others = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
drawing.draw = lambda content, asked: ({"open": [n for n in range(1024) if is_open(n)]}, [])
print(drawing._serve(b"", {"memory": 1 << 26, "seconds": 5}).decode())
"""


def test_what_reads_a_picture_holds_nothing_but_the_pipe_for_its_answer() -> None:
    told = subprocess.run(
        [sys.executable, "-I", "-c", LIST_OPEN, str(reading._PROGRAM)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert len(json.loads(told.stdout)["open"]) == 1


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((900, 1200), 640, (480, 640)),
        ((100, 60), 640, (100, 60)),
        ((10_000, 20), 160, (160, 1)),
    ],
)
def test_a_picture_fits_into_its_size(
    size: tuple[int, int], box: int, expected: tuple[int, int]
) -> None:
    assert fitted(*size, box) == expected


def test_no_size_repeats_another_one() -> None:
    assert sizes_of(100, 60, (160, 320, 640)) == [160]
    assert sizes_of(161, 60, (160, 320, 640)) == [160, 320]
    assert sizes_of(2000, 60, (160, 320, 640)) == [160, 320, 640]
