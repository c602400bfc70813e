"""From a filter's text to a predicate: words, then `or` of `and` of `not`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from postertui.filters.fields import ALIASES, FIELDS, is_metric_field
from postertui.filters.matching import (
    DEFAULT_VARIANTS,
    ORDER,
    Predicate,
    Record,
    as_number,
    number_compares,
    selects_name,
    text_contains,
    value_equals,
)
from postertui.system.errors import UserError

#: Words and parentheses of a filter, and how deep these nest; far more than a filter needs.
MAX_TERMS = 300
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<paren>[()])
      | (?P<field>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<op><=|>=|!=|[:=<>])\s*(?P<value>"[^"]*"|[^\s()]*)
      | (?P<word>"[^"]*"|[^\s()"]+)
    )""",
    re.VERBOSE,
)


class FilterError(UserError):
    """A filter that cannot be understood. `position` is where in the text."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"filter: {message}")
        self.position = position


@dataclass(frozen=True)
class Filter:
    """A filter, ready to be applied.

    `text` is its source, `fields` the fields that it names, `families` the values of `variant:`
    that are no variant's name and so select families.
    """

    text: str
    matches: Predicate
    fields: frozenset[str] = frozenset()
    families: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int
    op: str = ""
    value: str = ""
    variants: frozenset[str] = DEFAULT_VARIANTS


def parse(text: str, variants: Collection[str] | None = None) -> Filter:
    """The filter that a text stands for; an empty text matches everything.

    Parameters
    ----------
    variants
        The names of the variants there are. `variant:NAME` selects a family only where no variant
        is called so.

    Raises
    ------
    FilterError
        Says what is wrong, and where.
    """
    tokens = list(_tokens(text))
    if not tokens:
        return Filter(text, lambda _: True)
    _check_size(tokens)
    names = DEFAULT_VARIANTS if variants is None else frozenset(variants) | DEFAULT_VARIANTS
    tokens = [replace(token, variants=names) for token in tokens]
    predicate, rest = _parse_or(tokens)
    if rest:
        raise FilterError(f"unexpected `{rest[0].text}`", rest[0].position)
    families = [
        value
        for token in tokens
        if token.kind == "field" and _field(token) == "variant"
        for value in token.value.split(",")
        if value and not selects_name(value, names, glob=token.op == ":")
    ]
    fields = frozenset(_field(t) for t in tokens if t.kind == "field")
    return Filter(text, predicate, fields, tuple(families))


def _tokens(text: str) -> Iterable[_Token]:
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            raise FilterError(f"a quote is not closed at character {at + 1}", at)
        kind = match.lastgroup or ""
        kind = "field" if kind == "value" else kind
        start = match.start(kind)
        word = match.group(kind)
        if kind == "word" and word.lower() in ("and", "or", "not"):
            yield _Token(word.lower(), word, start)
        elif kind == "field":
            value = match["value"]
            if value.count('"') == 1:
                raise FilterError(f"a quote is not closed after `{word}`", match.start("value"))
            yield _Token("field", match.group().strip(), start, match["op"], value.strip('"'))
        else:
            yield _Token(kind if kind == "word" else word, word.strip('"'), start)
        position = match.end()


def _check_size(tokens: list[_Token]) -> None:
    """Parsing and matching recurse; refuse what would exhaust the stack."""
    if len(tokens) > MAX_TERMS:
        raise FilterError(f"longer than {MAX_TERMS} words", tokens[MAX_TERMS].position)
    depth = 0
    for token in tokens:
        depth += (token.kind == "(") - (token.kind == ")")
        if depth > MAX_DEPTH:
            raise FilterError(f"more than {MAX_DEPTH} parentheses inside another", token.position)


_Parsed = tuple[Predicate, list[_Token]]


def _parse_or(tokens: list[_Token]) -> _Parsed:
    left, rest = _parse_and(tokens)
    while rest and rest[0].kind == "or":
        right, rest = _parse_and(_after(rest))
        left = _either(left, right)
    return left, rest


def _parse_and(tokens: list[_Token]) -> _Parsed:
    left, rest = _parse_not(tokens)
    while rest and rest[0].kind not in ("or", ")"):
        right, rest = _parse_not(_after(rest) if rest[0].kind == "and" else rest)
        left = _both(left, right)
    return left, rest


def _parse_not(tokens: list[_Token]) -> _Parsed:
    negations = 0
    while tokens[0].kind == "not":
        negations += 1
        tokens = _after(tokens)
    token, rest = tokens[0], tokens[1:]
    match token.kind:
        case "(":
            if not rest:
                raise FilterError("`(` is not closed", token.position)
            predicate, rest = _parse_or(rest)
            if not rest:
                raise FilterError("`(` is not closed", token.position)
            rest = rest[1:]
        case "word":
            predicate = text_contains(token.text)
        case "field":
            predicate = _field_predicate(token)
        case _:
            raise FilterError(f"unexpected `{token.text}`", token.position)
    return (_negated(predicate) if negations % 2 else predicate), rest


def _after(tokens: list[_Token]) -> list[_Token]:
    if len(tokens) == 1:
        raise FilterError(f"something is missing after `{tokens[0].text}`", tokens[0].position)
    return tokens[1:]


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda record: left(record) and right(record)


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda record: left(record) or right(record)


def _negated(predicate: Predicate) -> Predicate:
    return lambda record: not predicate(record)


def _field_predicate(token: _Token) -> Predicate:
    field = _field(token)
    if field not in FIELDS and not is_metric_field(field):
        raise FilterError(f"unknown field `{field}`; {_near(field)}", token.position)
    if not token.value:
        raise FilterError(f"`{token.text}` needs a value", token.position)
    if token.op in ORDER:
        return number_compares(field, ORDER[token.op], _number(token))
    predicate = value_equals(field, token.value, glob=token.op == ":", variants=token.variants)
    return _negated(predicate) if token.op == "!=" else predicate


def _field(token: _Token) -> str:
    name = re.split(r"\s*[<>!=:]", token.text)[0].lower()
    return ALIASES.get(name, name)


def _number(token: _Token) -> float:
    number = as_number(token.value)
    if number is None:
        raise FilterError(f"`{token.value}` is not a number", token.position)
    return number


def check_fields(query: Filter, records: Iterable[Record]) -> None:
    """Check the fields of a filter that may be metrics against those that are recorded.

    Raises
    ------
    FilterError
        For a metric that neither a record nor any run of this program has.
    """
    unknown = [field for field in sorted(query.fields) if field not in FIELDS]
    if unknown:
        present = {name for record in records for name in record}
        for field in unknown:
            if field not in present:
                raise FilterError(f"unknown field `{field}`; {_near(field)}", 0)


def _near(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, FIELDS, n=3, cutoff=0.5)
    if close:
        return f"close: {', '.join(close)}"
    return f"there are {', '.join(list(FIELDS)[:8])} …"
