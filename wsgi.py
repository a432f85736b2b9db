"""Production entry: ``gunicorn wsgi:app``."""

from jay import create_app, make_ready
from jay.config import or_exit

app = or_exit(lambda: make_ready(create_app()))
