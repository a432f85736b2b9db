"""Feed files: opened alone, unpacked, and cut into lines without ever keeping all of it."""

import gzip
from pathlib import Path

import pytest

from jay.feeds.files import BOM, MAX_LINE, FeedFile, FileBusy, UnusableFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.csv"


def lines(path: Path) -> list[bytes]:
    with FeedFile(path) as file:
        return list(file.lines())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_packed_and_marked_files_read_like_plain_ones(
    path: Path, packed: bool, mark: bytes
) -> None:
    content = mark + b"sku,name\r\nA,B\n\nlast"
    path.write_bytes(gzip.compress(content) if packed else content)

    assert lines(path) == [b"sku,name\r\n", b"A,B\n", b"\n", b"last"]


def test_a_line_without_end_is_cut_and_the_next_one_is_whole(path: Path) -> None:
    path.write_bytes(b"a\n" + b"x" * (2 * MAX_LINE + 5) + b"\nb\n")

    first, long, last = lines(path)

    assert (first, len(long), last) == (b"a\n", MAX_LINE, b"b\n")


@pytest.mark.parametrize("content", [b"", b"\n \n", BOM, gzip.compress(b"")])
def test_a_file_without_content_is_empty(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(UnusableFile, match="is empty"):
        FeedFile(path)


def test_utf_16_is_named_as_what_it_is(path: Path) -> None:
    path.write_bytes("sku,name\n".encode("utf-16"))

    with pytest.raises(UnusableFile, match="UTF-16"):
        FeedFile(path)


def test_a_file_that_does_not_open_is_unusable(path: Path) -> None:
    with pytest.raises(UnusableFile, match="No such file"):
        FeedFile(path)


@pytest.mark.parametrize("damage", [slice(None, -20), slice(None, 60)])
def test_a_packed_file_that_was_cut_off_does_not_pass_for_complete(
    path: Path, damage: slice
) -> None:
    content = "".join(f"SKU-{n * n},Mug {n**3}\n" for n in range(3000)).encode()
    path.write_bytes(gzip.compress(content)[damage])

    with pytest.raises(UnusableFile, match=r"to its end|unpacked"):
        lines(path)


def test_one_importer_has_the_file_at_a_time(path: Path) -> None:
    path.write_bytes(b"sku,name\n")

    with FeedFile(path):
        with pytest.raises(FileBusy, match="another process"):
            FeedFile(path)
        FeedFile(path, alone=False).close()  # who only looks disturbs nobody

    FeedFile(path).close()


def test_a_fingerprint_is_of_the_content_and_of_how_it_is_read(path: Path) -> None:
    path.write_bytes(b"sku,name\nA,B\n")
    with FeedFile(path) as file:
        before = file.fingerprint("csv", None)
        assert file.fingerprint("csv", "en") != before
        assert next(file.lines()) == b"sku,name\n"  # taking it has read nothing away
    with FeedFile(path) as file:
        assert file.fingerprint("csv", None) == before
    path.write_bytes(b"sku,name\nA,C\n")
    with FeedFile(path) as file:
        assert file.fingerprint("csv", None) != before


def test_a_file_that_somebody_writes_into_is_noticed(path: Path) -> None:
    path.write_bytes(b"sku,name\n")
    with FeedFile(path) as file:
        file.check_unchanged()
        with path.open("ab") as other:
            other.write(b"A,B\n")

        with pytest.raises(UnusableFile, match="was changed"):
            file.check_unchanged()


def test_the_position_tells_how_much_of_the_file_is_read(path: Path) -> None:
    path.write_bytes(b"sku,name\n" * 10)
    with FeedFile(path) as file:
        assert (file.position <= file.size, file.size) == (True, 90)
        list(file.lines())
        assert file.position == file.size
