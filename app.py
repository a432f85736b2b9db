"""Development entry: ``flask --app app ...`` (``--help`` lists the commands)."""

from jay import create_app
from jay.config import or_exit

app = or_exit(create_app)
