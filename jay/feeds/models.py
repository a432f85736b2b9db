"""Imports under way: how far each has come, so that a killed one goes on."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text, UniqueConstraint, text

from jay.db.types import UtcDateTime, metadata

product_imports = Table(
    "product_imports",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("merchant_id", Integer, ForeignKey("merchants.id"), nullable=False),
    # SHA-256 of the content and of the options that decide how it is read.
    Column("fingerprint", Text, nullable=False),
    Column("file", Text, nullable=False),
    # The time of observation of everything in it: microseconds since 1970 in UTC.
    Column("as_of", BigInteger, nullable=False),
    # Who may write: an importer that starts takes the import over from one that has died.
    Column("run", Text, nullable=False),
    # How far it is, written in the transaction of the products: rows read, of which added,
    # updated and refused, what was left out of others, and the lengths of the two reports.
    Column("records", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("report_bytes", BigInteger, nullable=False),
    Column("notes", BigInteger, nullable=False, server_default=text("0")),
    Column("notes_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("begun", UtcDateTime, nullable=False),
    Column("finished", UtcDateTime),
    UniqueConstraint("merchant_id", "fingerprint"),
)
