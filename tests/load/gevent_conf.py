"""The service's settings of gunicorn, with gevent's worker: what would another one gain?

It is patched before anything else is imported: so psycopg sees that it has to wait with gevent, and
the locks of the lent connections are those of greenlets. SQLite goes on to hold up all greenlets.
"""

from gevent import monkey

monkey.patch_all()

import runpy  # noqa: E402 - after the patches

globals().update(runpy.run_path("gunicorn.conf.py"))

worker_class = "gevent"
