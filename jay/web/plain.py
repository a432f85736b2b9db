"""The fast way through a schema, built from its fields.

marshmallow takes about a millisecond for a product with its texts, addresses and amounts, and a
catalogue has a million of them. Nearly all are plainly right: these pass by a type test and a
comparison for each field, which are derived here from the same fields, with their bounds and
choices. Whatever is unusual, and every kind of field that is not known here, is left to the
schema, which decides and explains. A property test proves that both agree.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import marshmallow as ma

from jay.web.schema import Flag, Int, List, Number, Text

NOT_PLAIN: Any = type("NotPlain", (), {"__repr__": lambda _: "NOT_PLAIN"})()
"""Answered in place of a value that it takes the schema to judge."""

Loader = Callable[[Any], Any]


def never(_value: Any) -> Any:
    """Leave every value to the schema."""
    return NOT_PLAIN


def loader_of(field: ma.fields.Field[Any]) -> Loader:
    """Return what loads a value of a field, or answers ``NOT_PLAIN``.

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
    """Return what loads an object, or answers ``NOT_PLAIN``."""
    if any(schema._hooks.values()):
        return never  # what its hooks do is not known here
    named = {str(field.attribute or name): field for name, field in schema.load_fields.items()}
    fields = {str(field.data_key): (name, loader_of(field)) for name, field in named.items()}
    required = {name for name, field in named.items() if field.required}
    defaults = [
        (name, field.load_default)
        for name, field in named.items()
        if field.load_default is not ma.missing
    ]

    def load(value: Any) -> Any:
        if type(value) is not dict:
            return NOT_PLAIN
        loaded: dict[str, Any] = {}
        for name, content in value.items():
            known = fields.get(name)
            if known is None:
                return NOT_PLAIN
            attribute, load_one = known
            inner = load_one(content)
            if inner is NOT_PLAIN:
                return NOT_PLAIN
            loaded[attribute] = inner
        if not required <= loaded.keys():
            return NOT_PLAIN
        for name, default in defaults:
            if name not in loaded:
                loaded[name] = default() if callable(default) else default
        return loaded

    return load


def _or_none(load: Loader, field: ma.fields.Field[Any]) -> Loader:
    if not field.allow_none:
        return load
    return lambda value: None if value is None else load(value)


def _flag(value: Any) -> Any:
    return value if value is True or value is False else NOT_PLAIN


def text_loader(field: Text, *, unless: Callable[[str], bool] | None = None) -> Loader:
    """Return what loads a text, or answers ``NOT_PLAIN``.

    :param unless: tells of a text with ``<`` or ``&`` that it is for the schema to judge.
    """
    low, high, choices, rules = 0, None, None, []
    for rule in field.validators:
        if isinstance(rule, ma.validate.Length):
            low, high = max(low, rule.min or 0), rule.max
        elif isinstance(rule, ma.validate.OneOf):
            choices = frozenset(rule.choices)
        else:
            rules.append(rule)
    nullable = field.allow_none
    if choices is not None and not rules:

        def load_choice(value: Any) -> Any:
            if type(value) is str and value in choices:
                return value
            return None if value is None and nullable else NOT_PLAIN

        return load_choice
    most = 2**31 if high is None else high

    # One call for each text of a catalogue, whatever is to be looked at.
    def load(value: Any) -> Any:
        if type(value) is not str or not low <= len(value) <= most or "\0" in value:
            return None if value is None and nullable else NOT_PLAIN
        if unless is not None and ("<" in value or "&" in value) and unless(value):
            return NOT_PLAIN
        return value if not rules or _passes(rules, value) else NOT_PLAIN

    load.knows_null = True  # type: ignore[attr-defined]
    return load


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
        if type(value) is int and low <= value <= high:
            return value
        return None if value is None and nullable else NOT_PLAIN

    return load


def _number(field: Number) -> Loader:
    bounds, nullable = _bounds(field), field.allow_none
    if bounds is None:
        return never
    low, high = bounds

    def load(value: Any) -> Any:
        if (type(value) is float or type(value) is int) and low <= value <= high:
            return float(value)
        return None if value is None and nullable else NOT_PLAIN

    return load


def _list(field: ma.fields.List[Any]) -> Loader:
    if any(not isinstance(rule, ma.validate.Length) for rule in field.validators):
        return never
    low = max((rule.min or 0 for rule in field.validators), default=0)  # type: ignore[attr-defined]
    most = [rule.max for rule in field.validators if rule.max is not None]  # type: ignore[attr-defined]
    high, inner = min(most, default=2**31), loader_of(field.inner)

    def load(value: Any) -> Any:
        if type(value) is not list or not low <= len(value) <= high:
            return NOT_PLAIN
        loaded = [inner(each) for each in value]
        return NOT_PLAIN if NOT_PLAIN in loaded else loaded

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
        plain = self._plain(value)
        if plain is NOT_PLAIN:
            return super()._deserialize(value, attr, data, **kwargs)
        return list(plain)
