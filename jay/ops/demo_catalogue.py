"""The demo catalogue: 24 invented products that could be seen in a television show."""

from pathlib import Path

from jay.feeds.files import FeedFile
from jay.feeds.readers import json_lines
from jay.feeds.rows import load
from jay.products.bulk import Put

FILE = Path(__file__).with_suffix(".jsonl")
"""As a merchant could send it to ``products import``, but for pictures: they are this service's."""


def products(public_url: str) -> list[Put]:
    """Read the products, in the order in which a kiosk shows them.

    :raises Refused: a line is not what the importer takes.
    """
    with FeedFile(FILE, alone=False) as file:
        bodies = [record.body or {} for record in json_lines(file)]
    for body in bodies:
        body["images"] = [{**image, "url": public_url + image["url"]} for image in body["images"]]
    return [
        Put(product["sku"], product["lang"], product["country"], product, product["variants"])
        for product in map(load, bodies)
    ]
