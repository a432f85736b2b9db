"""Production entry: ``gunicorn wsgi:app``."""

from jay import create_app, make_ready

app = make_ready(create_app())
