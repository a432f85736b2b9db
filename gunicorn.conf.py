"""How gunicorn runs the service; the environment decides, see README.md."""

import functools
import gc
import os
import sys

from gunicorn.errors import HaltServer
from PIL import Image

from jay.config import or_exit, settings_from
from jay.i18n import languages, texts
from jay.web.ports import wait_until_free

_settings = or_exit(settings_from)

bind = f"{_settings.bind_host}:{_settings.port}"
workers = _settings.workers
worker_class = "jay.web.serving.BufferingWorker"
threads = _settings.threads
# Televisions poll every second and a half: a connection is worth keeping a little longer. A
# balancer keeps its own for a minute or more, and must not send into one that is closed here.
keepalive = _settings.keep_alive
timeout = 30
graceful_timeout = 20
# Paths hold tokens, so gunicorn writes no access log: jay.logs has one by route.
accesslog = None
# On a lower level it quotes malformed requests in full, with whatever they carry.
loglevel = "error"
logger_class = "jay.web.logs.MaskedLogger"
# What else could be installed reads requests in other ways than jay.web.framing reckons with.
http_parser = "python"
limit_request_line = 8190
limit_request_field_size = 16380
# Of what proxies say the application alone believes something, as the settings tell it to: by
# itself gunicorn takes a scheme, and the header SCRIPT_NAME, from whoever is on this machine.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers = {}
# Where the larger bodies lie while they arrive: /tmp is often memory.
tmp_upload_dir = str(_settings.data_dir) if _settings.data_dir.is_dir() else None
# Its default place is the home directory, which a service may not have.
control_socket_disable = True


def _end(kind, error, trace):
    """End with the status of what has ended the workers: its reason was told, in one sentence.

    Where a second worker ends while the first one is mourned, gunicorn loses its composure.
    """
    if not isinstance(error, HaltServer):
        sys.__excepthook__(kind, error, trace)
        return
    sys.stderr.flush()
    os._exit(error.exit_status)


sys.excepthook = _end


def _tell(text):
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def on_starting(server):
    """Wait for the port, which workers of a master that was killed may still hold."""
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        return  # it is handed over, by a master that goes on until this one serves
    for address in server.cfg.address:
        if isinstance(address, tuple):  # not a file, nor what systemd has opened
            or_exit(functools.partial(wait_until_free, address, _tell))


def _load_what_first_requests_need():
    """Read the texts of all languages, and what writes pictures of codes: that takes 0.1 s."""
    for lang, _name in languages():
        texts(lang)
    Image.preinit()


def on_reload(_server):
    """Let the workers that begin now read the texts as they are now (``systemctl reload jay``)."""
    languages.cache_clear()
    texts.cache_clear()


def post_worker_init(_worker):
    """Leave what was loaded since, alone, too: it lives as long as the process.

    Else the collector walks all of it, 200,000 objects with those from the first process, for each
    some thousand new ones that stay: a tenth of a second in which nobody is answered.
    """
    gc.collect()
    gc.freeze()


def child_exit(_server, worker):
    """Let the clients of a process that has ended, however it did, count no more."""
    shares = getattr(worker, "shares", None)  # other kinds of worker have none
    if shares is not None:
        shares.leave(worker.place)


def when_ready(server):
    """Share with the workers what is loaded, and say that the service listens.

    Gunicorn's own log says so on a level that quotes requests.
    """
    _load_what_first_requests_need()
    # The collector writes into each object that it looks at: a worker's first collection would
    # give it a copy of its own of nearly all that it has from this process.
    gc.collect()
    gc.freeze()
    _tell(f"Listening at {', '.join(map(str, server.LISTENERS))}")
