"""What PostgreSQL knows of a table, by which it chooses how to look rows up.

It looks anew by itself, minutes after much was written. Until then it takes a table that was just
filled for one with few different values, and reads what it need not.
"""

from sqlalchemy import Connection, Table

from jay.db import turns


def renew(connection: Connection, table: Table) -> None:
    """Let the database look at a table now, at 30,000 of its rows at the most.

    Where somebody else is looking, or the table is not ours, it is left as it is; and on several
    servers, each of which looks by itself. SQLite is told in each statement what it has to know.
    """
    if connection.dialect.name == "postgresql" and not turns.is_distributed(connection):
        name = connection.dialect.identifier_preparer.format_table(table)
        connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {name}")
