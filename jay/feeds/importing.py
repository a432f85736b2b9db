"""Imports: record after record into the catalogue, from where a killed import has stopped."""

import gc
import itertools
from collections.abc import Callable, Container, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import Connection

from jay.clock import Clock
from jay.errors import Busy
from jay.feeds.ahead import one_ahead
from jay.feeds.checkpoints import PROGRESS, Import, keep
from jay.feeds.leftovers import START, Place, count_without_stock, look_anew, remove_page
from jay.feeds.mending import without_wrong_addresses
from jay.feeds.readers import Record, two_counts
from jay.feeds.report import Refusal, Reports
from jay.feeds.rows import RowRefused, load, load_news, load_variant
from jay.i18n import COUNTRIES, CURRENCIES, LANGUAGES
from jay.merchants.models import Merchant
from jay.products.bulk import Put, PutResult, VariantScope, put_many
from jay.products.feeding import update_volatile
from jay.products.models import moment_of, normal_sku

BATCH_ROWS = 500
"""Rows of the catalogue that are written in one transaction: few, to stand in nobody's way."""

MANY = 10_000
"""After so many records the database looks at the catalogue anew, and at the end of as many that
are new."""

ATTEMPTS = 5
"""How often a batch is tried while the database is busy; each try waits for its locks."""

Write = Callable[[Callable[[Connection], Any]], Any]


@dataclass(slots=True)
class News:
    """Stock and prices of one product or variant that is stored already."""

    lang: str
    country: str
    currency: str | None
    item: dict[str, Any]


Checked = Put | News | str
"""What a record says to write, or why it is refused."""

Batch = list[tuple[Record, Checked]]
"""Records that are written in one transaction."""


def with_locale(merchant: Merchant, lang: str | None, country: str | None) -> Merchant:
    """Return the merchant with another language and country for what names none."""
    return replace(merchant, lang=lang or merchant.lang, country=country or merchant.country)


def run(
    write: Write,
    merchant: Merchant,
    import_: Import,
    records: Iterator[Record],
    reports: Reports,
    *,
    clock: Clock,
    still_valid: Callable[[], None],
    ahead: bool = False,
) -> Iterator[Import]:
    """Write what is left of the records, batch by batch; yield how far it is after each.

    A batch, what became of it and how far it is are one transaction: after a crash at any moment
    the import goes on where the catalogue is.

    :param still_valid: raises if the file is no longer the one that was opened.
    :param ahead: records are read and checked by a thread of their own while the batch before is
        written. That is for a database on a server: SQLite works in this very process, and would
        wait for the other thread after each row.
    :raises TakenOver: another process goes on with this import.
    :raises Busy: the database is busy; what was yielded is stored.
    """
    left = itertools.islice(records, import_.records, None)
    batches = _batches(left, merchant)
    if ahead:
        batches = one_ahead(batches)
    with _garbage_seldom_looked_for(), closing(batches):
        for batch in batches:
            still_valid()
            few = import_.records < MANY
            import_ = _attempts(write, _Batch(merchant, import_, batch, reports, clock))
            if few and import_.records >= MANY:
                # Plans that were made while a table was empty are kept until then: each batch would
                # read all former prices that those before it have put away.
                _look_anew(write)
            yield import_
        still_valid()


@contextmanager
def _garbage_seldom_looked_for() -> Iterator[None]:
    """Look for garbage once in a few batches, and not in what the program itself is made of.

    Rows are many small objects without circles: they go by themselves.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN, *_GENERATIONS)
    try:
        yield
    finally:
        gc.set_threshold(*_THRESHOLDS)
        gc.unfreeze()


_THRESHOLDS = gc.get_threshold()
_GENERATIONS = _THRESHOLDS[1:]
_OBJECTS_BETWEEN = 100_000


def _look_anew(write: Write) -> None:
    # Where that takes too long, it is done without: the database looks later by itself.
    with suppress(Busy):
        write(look_anew)


def check(records: Iterator[Record], merchant: Merchant) -> Iterator[Batch]:
    """Check the records without writing anything; yield them in batches with what is wrong."""
    return _batches(records, merchant)


def _attempts(write: Write, work: Callable[[Connection], Import]) -> Import:
    for _ in range(ATTEMPTS - 1):
        with suppress(Busy):
            return cast("Import", write(work))
    return cast("Import", write(work))


def _batches(records: Iterator[Record], merchant: Merchant) -> Generator[Batch]:
    """Cut the records into batches in which no SKU comes twice."""
    batch: Batch = []
    rows: set[tuple[str, str, str]] = set()
    for each in records:
        record, put = _mended(each, merchant)
        if not isinstance(put, str):
            own = _own_rows(put)
            if batch and (len(rows) + len(own) > BATCH_ROWS or not rows.isdisjoint(own)):
                yield batch
                batch, rows = [], set()
            rows.update(own)
        elif len(batch) >= BATCH_ROWS:
            yield batch
            batch, rows = [], set()
        batch.append((record, put))
    if batch:
        yield batch


def _own_rows(put: Put | News) -> list[tuple[str, str, str]]:
    if isinstance(put, News):
        return [(put.lang, put.country, put.item["sku"])]
    own = put.main is not None and (put.kind is not VariantScope.GROUP or not put.variants)
    rows = [(put.lang, put.country, put.sku)] if own else []
    if put.variants:
        rows += [(put.lang, put.country, variant["sku"]) for variant in put.variants]
    return rows


def _mended(record: Record, merchant: Merchant) -> tuple[Record, Checked]:
    """Return what a record says to write, without wrong addresses; or why it is refused.

    These cost neither the product nor its stock: they are left out with a note.
    """
    put = put_of(record, merchant)
    if isinstance(put, str) and (mended := without_wrong_addresses(record)) is not None:
        again = put_of(mended, merchant)
        if isinstance(again, Put):
            return mended, again
    return record, put


def put_of(record: Record, merchant: Merchant) -> Checked:
    """Return what a record says to write, or why it is refused."""
    if record.body is None:
        return record.reason or ""
    try:
        if record.volatile:
            return _news(record, merchant)
        if record.main_sku is None:
            return _product(record, merchant)
        return _variant(record, merchant)
    except RowRefused as refusal:
        return f"{refusal}{_hint(record.body)}"


def _hint(body: dict[str, Any]) -> str:
    """Say what are the most likely mistakes of all."""
    amounts = (body.get("price"), body.get("orgPrice"))
    wrong = any(isinstance(amount, str | float) for amount in amounts)
    hints = [" Amounts are in minor units: 1999 is 19.99."] if wrong else []
    if isinstance(body.get("vat"), str):
        hints.append(" VAT is in percent: 19 is 19 %.")
    if two := two_counts(body.get("stockCount")):
        hints.append(f" {two}")
    return "".join(hints)


def _product(record: Record, merchant: Merchant) -> Put:
    loaded = load(record.body)
    return Put(
        loaded["sku"],
        loaded["lang"] or merchant.lang,
        loaded["country"] or merchant.country,
        loaded,
        loaded["variants"],
        _scope(record),
    )


def _scope(record: Record) -> VariantScope:
    if record.member:
        return VariantScope.GROUP
    return VariantScope.WHOLE if record.whole else VariantScope.PART


def _news(record: Record, merchant: Merchant) -> News:
    body = dict(record.body or {})
    currency = body.pop("currency", None)
    if currency is not None and currency not in CURRENCIES:
        raise RowRefused("currency: There is no such currency.")
    return News(*_locale(record, merchant), currency, load_news(body))


def _locale(record: Record, merchant: Merchant) -> tuple[str, str]:
    lang, country = record.lang or merchant.lang, record.country or merchant.country
    if lang not in LANGUAGES:
        raise RowRefused("lang: There is no such language.")
    if country not in COUNTRIES:
        raise RowRefused("country: There is no such country.")
    return lang, country


def _variant(record: Record, merchant: Merchant) -> Put:
    assert record.main_sku is not None  # noqa: S101 - for the type checker
    variant = load_variant(record.body or {})
    lang, country = _locale(record, merchant)
    if record.main is None:
        return Put(normal_sku(record.main_sku), lang, country, None, [variant], VariantScope.PART)
    main = load(record.main)
    return Put(main["sku"], lang, country, main, [variant], VariantScope.GROUP)


class _Batch:
    """One transaction of an import; it may be tried several times."""

    def __init__(
        self,
        merchant: Merchant,
        before: Import,
        batch: Batch,
        reports: Reports,
        clock: Clock,
    ) -> None:
        self.merchant = merchant
        self.before = before
        self.batch = batch
        self.reports = reports
        self.clock = clock

    def __call__(self, connection: Connection) -> Import:
        """Write the batch and how far the import is with it."""
        puts = [put for _, put in self.batch if isinstance(put, Put)]
        now, before = self.clock(), self.before
        outcomes = iter(
            put_many(connection, self.merchant, puts, now=now, as_of=before.as_of) if puts else ()
        )
        news = [put for _, put in self.batch if isinstance(put, News)]
        unknown = self._tell(connection, news) if news else set()
        final = [
            next(outcomes) if isinstance(put, Put) else _told(put, unknown) for _, put in self.batch
        ]
        refusals = [
            Refusal(record.line, record.sku, outcome)
            for (record, _), outcome in zip(self.batch, final, strict=True)
            if isinstance(outcome, str)
        ]
        length = before.report_bytes
        if refusals:
            length = self.reports.refused.write(refusals, length)
        left_out = [
            Refusal(record.line, record.sku, " ".join(record.notes))
            for (record, _), outcome in zip(self.batch, final, strict=True)
            if record.notes and not isinstance(outcome, str)
        ]
        notes_length = before.notes_bytes
        if left_out:
            notes_length = self.reports.notes.write(left_out, notes_length)
        after = replace(
            before,
            records=before.records + len(self.batch),
            line=self.batch[-1][0].line,
            added=before.added + final.count(PutResult.ADDED),
            updated=before.updated + final.count(PutResult.UPDATED),
            refused=before.refused + len(refusals),
            report_bytes=length,
            notes=before.notes + len(left_out),
            notes_bytes=notes_length,
        )
        keep(connection, after, **{name: getattr(after, name) for name in PROGRESS})
        return after

    def _tell(self, connection: Connection, news: Sequence[News]) -> set[tuple[str, str, str]]:
        """Store stock and prices by the rules of PATCH; return what is not in the catalogue."""
        together: dict[tuple[str, str, str | None], list[dict[str, Any]]] = {}
        for one in news:
            together.setdefault((one.lang, one.country, one.currency), []).append(one.item)
        unknown: set[tuple[str, str, str]] = set()
        for (lang, country, currency), items in together.items():
            found = update_volatile(
                connection,
                self.merchant,
                now=self.clock(),
                items=items,
                shared={} if currency is None else {"currency": currency},
                as_of=moment_of(self.before.as_of),
                lang=lang,
                country=country,
            )
            unknown |= {(lang, country, sku) for sku in found.unknown_skus}
        return unknown


def _told(put: News | str, unknown: Container[tuple[str, str, str]]) -> PutResult | str:
    if isinstance(put, str):
        return put
    return UNKNOWN if (put.lang, put.country, put.item["sku"]) in unknown else PutResult.UPDATED


UNKNOWN = "The catalogue has no product with this SKU."


def finish(
    write: Write,
    merchant: Merchant,
    import_: Import,
    *,
    parted: bool,
    clock: Clock,
    alive: Callable[[], None] = lambda: None,
) -> int:
    """Take variants out that the file has no more, and close the import.

    Nothing is taken out if a row was refused: it may have been one of them. This can be repeated
    at will, so a crash in the middle does no harm.

    :param parted: variants came apart from their main products; else there is nothing to take
        out any more.
    :param alive: is called between two steps; what it raises ends it.
    :returns: how many variants were taken out.
    :raises TakenOver: another process goes on with this import.
    """
    if import_.added >= MANY:
        # Before variants are looked for: of what it does not know it would sort all that is left,
        # for each stretch.
        _look_anew(write)
    removed = 0
    if parted and not import_.refused:
        after: Place | None = START
        while after is not None:
            alive()
            page = after

            def work(connection: Connection, page: Place = page) -> Any:
                return remove_page(connection, merchant, import_, page, clock())

            count, after = write(work)
            removed += count
    write(lambda connection: keep(connection, import_, finished=clock()))
    return removed


def without_stock(
    reading: Callable[[], AbstractContextManager[Connection]], merchant: Merchant, import_: Import
) -> int:
    """Return of how many of its products and variants nobody has ever said a stock.

    :param reading: opens the door for reading.
    """
    count, after = 0, cast("Place | None", START)
    while after is not None:
        with reading() as connection:
            more, after = count_without_stock(connection, merchant, import_, after)
        count += more
    return count
