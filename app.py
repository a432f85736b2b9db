"""Development entry: ``flask --app app ...`` (``--help`` lists the commands)."""

from jay import create_app

app = create_app()
