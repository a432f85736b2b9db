"""Addresses of buckets, as ``JAY_MEDIA`` has them."""

from pathlib import Path

import pytest

from jay.config import ConfigError, settings_from
from jay.net.buckets import Bucket, bucket_of


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("s3://pictures", Bucket("pictures")),
        ("s3://pictures/?region=eu-central-1", Bucket("pictures", region="eu-central-1")),
        (
            "s3://jay.example/shown/here/?endpoint=https://s3.example:9000/&region=de",
            Bucket("jay.example", "shown/here", "https://s3.example:9000", "de"),
        ),
        ("s3://pictures?endpoint=http://[::1]:9", Bucket("pictures", endpoint="http://[::1]:9")),
    ],
)
def test_an_address_names_a_bucket(address: str, bucket: Bucket) -> None:
    assert bucket_of(address) == bucket


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3://Pictures",
        "s3://key:secret@pictures",
        "s3://pictures/../other",
        "s3://pictures/a b",
        "s3://pictures?endpoint=s3.example",
        "s3://pictures?endpoint=https://me:secret@s3.example",
        "s3://pictures?region=",
        "s3://pictures?key=1",
        "https://pictures.s3.example",
    ],
)
def test_what_names_none_is_refused_at_start_without_its_secret(
    address: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="JAY_MEDIA: ") as raised:
        settings_from({"JAY_DATA_DIR": str(tmp_path), "JAY_DEMO": "1", "JAY_MEDIA": address})
    assert "secret" not in str(raised.value)
