"""The fast way through a schema, built from its fields.

marshmallow takes about a millisecond for a product with its texts, addresses and amounts, and a
catalogue has a million of them. Nearly all are plainly right: these pass by a type test and a
comparison for each field, which are derived here from the same fields, with their bounds and
choices. Whatever is unusual, and every kind of field that is not known here, is left to the
schema, which decides and explains. A property test proves that both agree.

The objects of a catalogue have the same few sets of names, and a function is written for each of
these: a call for each field would cost more than all that is looked at.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import marshmallow as ma

from jay.web.schema import Flag, Int, List, Number, Text

MAX_SHAPES = 1_000
"""Sets of names, in their order, that are remembered of a schema."""


class NotPlain(Exception):
    """It takes the schema to judge this value, or the route to answer this request."""


Loader = Callable[[Any], Any]
"""Loads a value, or raises ``NotPlain``.

Its attribute ``stays``, where it has one, is the Python for a condition under which the value
``{0}`` is loaded as it is.
"""


def never(_value: Any) -> NoReturn:
    """Leave every value to the schema."""
    raise NotPlain


def loader_of(field: ma.fields.Field[Any]) -> Loader:
    """Return what loads a value of a field.

    A field with rules of its own says itself what is plain: ``plainly(value)``.
    """
    own: Loader | None = getattr(field, "plainly", None)
    if own is not None:
        # What is made of a text knows by itself whether it may be null.
        return own if getattr(own, "knows_null", False) else _or_none(own, field)
    if isinstance(field, ma.fields.Nested):
        return _or_none(loader_of_schema(field.schema), field)
    if isinstance(field, ma.fields.List):
        return _list(field)
    if isinstance(field, Flag):
        return _or_none(_flag, field)
    for kind, build in _BUILDERS:
        if isinstance(field, kind):
            # A field that converts in a way of its own is not known here.
            same = type(field)._deserialize is kind._deserialize
            return build(field) if same else never
    return never


def loader_of_schema(schema: ma.Schema) -> Loader:
    """Return what loads an object."""
    if any(schema._hooks.values()):
        return never  # what its hooks do is not known here
    named = {str(field.attribute or name): field for name, field in schema.load_fields.items()}
    fields = {str(field.data_key): (name, loader_of(field)) for name, field in named.items()}
    required = {str(field.data_key) for field in named.values() if field.required}
    defaults = {
        str(field.data_key): (name, field.load_default)
        for name, field in named.items()
        if field.load_default is not ma.missing
    }
    written: dict[tuple[str, ...], Loader] = {}

    def write(names: tuple[str, ...]) -> Loader:
        if not fields.keys() >= set(names) >= required:
            raise NotPlain
        if len(written) >= MAX_SHAPES:
            written.clear()
        absent = [default for key, default in defaults.items() if key not in names]
        written[names] = load_these = _written([fields[name] for name in names], absent)
        return load_these

    def load(value: Any) -> Any:
        if type(value) is not dict:
            raise NotPlain
        names = tuple(value)
        return (written.get(names) or write(names))(value)

    return load


def _written(fields: Sequence[tuple[str, Loader]], absent: Sequence[tuple[str, Any]]) -> Loader:
    """Write the function that loads objects with these fields, and these defaults for others."""
    lines, parts, known = ["def load(value):"], [], {}
    if fields:
        lines.append(f"    {', '.join(f'v{at}' for at in range(len(fields)))}, = value.values()")
    for at, (name, load) in enumerate(fields):
        known[f"load{at}"] = load
        stays = getattr(load, "stays", None)
        lines.append(f"    if not ({stays.format(f'v{at}')}):" if stays else "    if True:")
        lines.append(f"        v{at} = load{at}(v{at})")
        parts.append(f"{name!r}: v{at}")
    for at, (name, default) in enumerate(absent):
        known[f"default{at}"] = default
        parts.append(f"{name!r}: default{at}{'()' if callable(default) else ''}")
    lines.append(f"    return {{{', '.join(parts)}}}")
    exec("\n".join(lines), known)  # noqa: S102 - of our own field names, and nothing else
    return known["load"]


def _or_none(load: Loader, field: ma.fields.Field[Any]) -> Loader:
    if not field.allow_none:
        return load

    def load_or_none(value: Any) -> Any:
        return None if value is None else load(value)

    return staying(load_or_none, getattr(load, "stays", None))


def staying(load: Loader, stays: str | None) -> Loader:
    """Return a loader that says of which values it changes nothing."""
    if stays is not None:
        load.stays = stays  # type: ignore[attr-defined]
    return load


def _flag(value: Any) -> Any:
    if value is True or value is False:
        return value
    raise NotPlain


def text_loader(field: Text, *, unless: Callable[[str], bool] | None = None) -> Loader:
    """Return what loads a text.

    :param unless: tells of a text with ``<`` or ``&`` that it is for the schema to judge.
    """
    low, high, choices, rules = _rules_of(field)
    nullable = field.allow_none
    if choices is not None and not rules:

        def load_choice(value: Any) -> Any:
            if (type(value) is str and value in choices) or (value is None and nullable):
                return value
            raise NotPlain

        return load_choice

    def load(value: Any) -> Any:
        if value is None and nullable:
            return None
        if type(value) is not str or not low <= len(value) <= high or "\0" in value:
            raise NotPlain
        if (unless is not None and unless(value)) or not _passes(rules, value):
            raise NotPlain
        return value

    load.knows_null = True  # type: ignore[attr-defined]
    told = [getattr(rule, "stays", None) for rule in rules]
    if None in told:
        return load
    marks = '"<" not in {0} and "&" not in {0} and ' if unless else ""
    length = f"{low} <= len({{0}}) <= {high}"
    other = "".join(f" and {condition}" for condition in told)
    return staying(load, f'type({{0}}) is str and {marks}"\\0" not in {{0}} and {length}{other}')


def _rules_of(
    field: Text,
) -> tuple[int, int, frozenset[str] | None, list[Callable[[Any], Any]]]:
    """Return the lengths, the choices and the other rules of a text."""
    low, high, choices, rules = 0, 2**31, None, []
    for rule in field.validators:
        if isinstance(rule, ma.validate.Length):
            low, high = max(low, rule.min or 0), high if rule.max is None else rule.max
        elif isinstance(rule, ma.validate.OneOf):
            choices = frozenset(rule.choices)
        else:
            rules.append(rule)
    return low, high, choices, rules


def _passes(rules: Iterable[Callable[[Any], Any]], value: Any) -> bool:
    try:
        for rule in rules:
            rule(value)
    except ma.ValidationError:
        return False
    return True


def _bounds(field: ma.fields.Field[Any]) -> tuple[Any, Any] | None:
    if len(field.validators) != 1 or not isinstance(field.validators[0], ma.validate.Range):
        return None
    return field.validators[0].min, field.validators[0].max


def _int(field: Int) -> Loader:
    bounds, nullable = _bounds(field), field.allow_none
    if bounds is None:
        return never
    low, high = bounds

    def load(value: Any) -> Any:
        if (type(value) is int and low <= value <= high) or (value is None and nullable):
            return value
        raise NotPlain

    return staying(load, f"type({{0}}) is int and {low} <= {{0}} <= {high}")


def _number(field: Number) -> Loader:
    bounds, nullable = _bounds(field), field.allow_none
    if bounds is None:
        return never
    low, high = bounds

    def load(value: Any) -> Any:
        if (type(value) is float or type(value) is int) and low <= value <= high:
            return float(value)
        if value is None and nullable:
            return None
        raise NotPlain

    return staying(load, f"type({{0}}) is float and {low} <= {{0}} <= {high}")


def _list(field: ma.fields.List[Any]) -> Loader:
    if any(not isinstance(rule, ma.validate.Length) for rule in field.validators):
        return never
    low = max((rule.min or 0 for rule in field.validators), default=0)  # type: ignore[attr-defined]
    most = [rule.max for rule in field.validators if rule.max is not None]  # type: ignore[attr-defined]
    high, inner = min(most, default=2**31), loader_of(field.inner)

    def load(value: Any) -> Any:
        if type(value) is not list or not low <= len(value) <= high:
            raise NotPlain
        return [inner(each) for each in value]

    return _or_none(load, field)


_BUILDERS: tuple[tuple[Any, Callable[[Any], Loader]], ...] = (
    (Text, text_loader),
    (Int, _int),
    (Number, _number),
)


class PlainList(List):
    """A list that marshmallow need not judge item by item where it is plainly right."""

    @functools.cached_property
    def _plain(self) -> Loader:
        return loader_of(ma.fields.List(self.inner))

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[Any]:
        try:
            return list(self._plain(value))
        except NotPlain:
            return super()._deserialize(value, attr, data, **kwargs)
