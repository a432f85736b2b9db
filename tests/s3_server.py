"""A store that speaks S3, on loopback: rclone over a folder, which checks who asks."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.clock import PATIENCE_SECONDS
from tests.servers import free_port

KEY, SECRET, BUCKET = "jay", "not-a-secret-at-all", "pictures"


@dataclass
class S3Server:
    """A server that can be stopped and started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        """The bucket as ``JAY_MEDIA`` names it."""
        return f"s3://{BUCKET}/shown?endpoint=http://127.0.0.1:{self.port}&region=eu-central-1"

    @property
    def files(self) -> Path:
        """Where the files are that it keeps."""
        return self.folder / BUCKET / "shown"

    def start(self) -> None:
        """Start it; it answers when this returns."""
        (self.folder / BUCKET).mkdir(exist_ok=True)
        rclone = Path(sys.executable).with_name("rclone")
        where = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [rclone, "serve", "s3", "--addr", where, "--auth-key", f"{KEY},{SECRET}",
             "--config", "/dev/null", "--vfs-cache-mode", "off", str(self.folder)],
            env={"HOME": str(self.folder)}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise AssertionError("the store does not answer")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def serving_s3(folder: Path) -> Iterator[S3Server]:
    """Run a store until the block ends."""
    server = S3Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
