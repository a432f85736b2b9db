"""``python -m tests.load.pictures``: the worker's way of a merchant's pictures, at a large queue.

A catalogue is stored, each of its products naming a picture of its own on one local server, and the
queue is filled; then the worker fetches, draws and stores for a while. The photographs have 600 to
2,000 pixels and a profile, as shops have them; each has a few bytes of its own at its end, so that
none is known already.
"""

import argparse
import os
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Event, Process, Value
from pathlib import Path
from typing import Any

from PIL import ImageCms
from sqlalchemy import func, insert, select

from jay.clock import system_clock
from jay.db.database import Database
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.pictures.filling import Filler
from jay.pictures.models import picture_sources, pictures
from jay.pictures.store import FolderStore
from jay.products.models import product_id, products
from tests import photos
from tests.load.importing import fresh
from tests.servers import free_port, postgres_cluster

SIZES = ((600, 600), (900, 1200), (1000, 1000), (1200, 900), (1500, 1500), (2000, 1500))


class Counted:
    """What the picture server has been asked for, and by how many at once."""

    def __init__(self) -> None:
        self.asked, self.now, self.most = (Value("i", 0) for _ in range(3))

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a request as long as it is answered."""
        with self.asked.get_lock():
            self.asked.value += 1
            self.now.value += 1
            self.most.value = max(self.most.value, self.now.value)
        yield
        with self.asked.get_lock():
            self.now.value -= 1


def serve(port: int, counted: Counted, ready: Any) -> None:
    """Serve photographs at all paths, each a file of its own."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = [
        photos.saved(photos.photo(*size, number), "JPEG", quality=88, icc_profile=profile)
        for number, size in enumerate(SIZES)
    ]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = int(self.path.rpartition("/")[2])
            content = files[number % len(files)] + str(number).encode()
            with counted.one_more():
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    ready.set()
    server.serve_forever()


def store_catalogue(database: Database, count: int, origin: str) -> None:
    """Store products, each with a picture."""
    now = datetime.now(UTC)
    for start in range(0, count, 5_000):
        rows = [
            {
                "id": product_id("shop", "de", "DE", f"P-{number}"),
                "merchant_id": 1,
                "sku": f"P-{number}",
                "lang": "de",
                "country": "DE",
                "name": f"Product {number}",
                "description": {"images": [{"url": f"{origin}/{number}"}]},
                "created": now,
                "updated": now,
            }
            for number in range(start, min(start + 5_000, count))
        ]
        with database.transaction() as connection:
            connection.execute(insert(products), rows)


@contextmanager
def picture_server(counted: Counted) -> Iterator[tuple[str, int]]:
    """Run the picture server in a process of its own; yield its origin and that process."""
    port = free_port()
    ready = Event()
    process = Process(target=serve, args=(port, counted, ready), daemon=True)
    process.start()
    try:
        while not ready.wait(0.1):
            assert process.is_alive()
        yield f"http://127.0.0.1:{port}", process.pid or 0
    finally:
        process.kill()
        process.join()


def memory(process: int, but: int) -> float:
    """Return the megabytes that a process and all below it have in memory, shared ones once.

    :param but: a process below it that does not count.
    """
    if process == but:
        return 0
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
        tasks = [task / "children" for task in Path(f"/proc/{process}/task").iterdir()]
        children = [int(one) for task in tasks for one in task.read_text().split()]
    except OSError:  # it has ended meanwhile
        return 0
    own = next((line.split()[1] for line in text.splitlines() if line.startswith("Pss:")), 0)
    return int(own) / 1024 + sum(memory(child, but) for child in children)


def measure(database: Database, folder: Path, count: int, seconds: float) -> dict[str, Any]:
    """Fill the queue, let the worker work for a while, and return the figures."""
    counted = Counted()
    with picture_server(counted) as (origin, server):
        filler = Filler(
            database,
            Client(LOOPBACK),
            FolderStore(folder),
            own="http://localhost/static/",
            clock=system_clock,
        )
        store_catalogue(database, count, origin)
        began = time.monotonic()
        while filler.sweep():
            pass
        queued = time.monotonic() - began
        stop, most = threading.Event(), 0.0
        own = time.process_time()
        drawing = resource.getrusage(resource.RUSAGE_CHILDREN)
        worker = threading.Thread(target=filler.run, args=(stop,))
        began = time.monotonic()
        worker.start()
        while time.monotonic() - began < seconds:
            stop.wait(0.5)
            most = max(most, memory(os.getpid(), but=server))
        stop.set()
        worker.join()
        took = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count_of = select(func.count()).select_from
    with database.reading() as connection:
        done = connection.execute(count_of(pictures)).scalar_one()
        queue = connection.execute(count_of(picture_sources)).scalar_one()
        bad = count_of(picture_sources).where(picture_sources.c.reason.is_not(None))
        failed = connection.execute(bad).scalar_one()
    files = [file.stat() for file in folder.rglob("*") if file.is_file()]
    drawn = after.ru_utime + after.ru_stime - drawing.ru_utime - drawing.ru_stime
    return {
        "queue": queue,
        "seconds to queue": round(queued, 1),
        "pictures": done,
        "failed": failed,
        "pictures/s": round(done / took, 1),
        "processor ms a picture, worker": round((time.process_time() - own) * 1000 / done, 1),
        "processor ms a picture, drawing": round(drawn * 1000 / done, 1),
        "MB in memory at most": round(most),
        "kB on disk a picture": round(sum(f.st_blocks * 512 for f in files) / done / 1000, 1),
        "kB a picture": round(sum(f.st_size for f in files) / done / 1000, 1),
        "requests/s on the server": round(counted.asked.value / took, 1),
        "requests at once": counted.most.value,
    }


def main() -> None:
    """Measure on one kind of database."""
    parser = argparse.ArgumentParser(description="Pictures a second, at a large queue.")
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    with ExitStack() as stack:
        cluster = None
        if options.database == "postgresql":
            cluster = stack.enter_context(postgres_cluster())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(fresh(options.database, folder, cluster))
        figures = measure(database, folder / "media", options.products, options.seconds)
    for name, figure in figures.items():
        print(f"{name:<36} {figure:>10,}")


if __name__ == "__main__":
    main()
