"""The filter language: one way to say which runs, in the dashboard and on the command line.

    comedy                     a bare word matches any text of a run
    genre:comedy variant:l2-*  a field, with globs; terms side by side mean `and`
    state:running,queued       any of several
    fc1=256  fc1!=256          equal to, not equal to
    test_fscore>0.3            numbers compare with < <= > >=
    and or not ( )             as anywhere

A filter works on records: flat mappings from field to value, as `Run.record` gives them. Metrics
are those of the run's newest epoch. Text is compared without regard to case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import ge, gt, le, lt
from typing import Any

from postertui.errors import UserError

Record = Mapping[str, Any]
Predicate = Callable[[Record], bool]

#: Field to what it means; what a filter may name and what completion offers.
FIELDS: dict[str, str] = {
    "genre": "the label that is learned",
    "variant": "the variant's name, or its family",
    "name": "the variant's own name",
    "family": "what the published table calls variant",
    "state": "queued running done failed cancelled interrupted",
    "study": "the study that asked for the run",
    "run": "the run's name",
    "seed": "the seed",
    "regularizer": "L1=1e-5, L2=1e-4, NoReg …",
    "fc1": "units of the first dense layer",
    "fc2": "units of the second dense layer",
    "batch_size": "posters in a batch",
    "epoch": "the newest finished epoch",
    "epochs": "the epochs asked for",
    "attempt": "how often it was started",
    "mode": "sound or published",
    "device": "where it trains",
    "host": "the machine it trains on",
    "tag": "a tag given in the dashboard",
    "dead": "yes where the weights have become NaN",
    "train_loss": "training objective",
    "train_accuracy": "training accuracy",
    "train_fscore": "training F as published",
    "train_fscore_soft": "training F of probabilities, pooled",
    "train_fscore_hard": "training F of decisions, pooled",
    "train_base_rate": "share of positives in training",
    "test_loss": "test objective",
    "test_accuracy": "test accuracy",
    "test_fscore": "test F as published",
    "test_fscore_soft": "test F of probabilities, pooled",
    "test_fscore_hard": "test F of decisions, pooled",
    "test_base_rate": "share of positives in the test cohort",
    "learning_rate": "Adam's learning rate",
    "seconds": "seconds the epoch took",
    "empty_batches": "training batches without a positive",
}

#: Other words for the same fields.
ALIASES = {"batch": "batch_size", "lr": "learning_rate", "tags": "tag"}

#: Words and parentheses of a filter, and how deep these nest; nobody writes more.
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
_ORDER: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class FilterError(UserError):
    """A filter that cannot be understood. `position` is where in the text."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"filter: {message}")
        self.position = position


@dataclass(frozen=True)
class Filter:
    """A filter, ready to be applied. `text` is what the person wrote, `fields` what it names."""

    text: str
    matches: Predicate
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int
    op: str = ""
    value: str = ""


def parse(text: str) -> Filter:
    """The filter that `text` says. Raises `FilterError` saying what is wrong and where.

    An empty text matches everything.
    """
    tokens = list(_tokens(text))
    if not tokens:
        return Filter(text, lambda _: True)
    _check_size(tokens)
    predicate, rest = _parse_or(tokens)
    if rest:
        raise FilterError(f"unexpected `{rest[0].text}`", rest[0].position)
    return Filter(text, predicate, frozenset(_field(t) for t in tokens if t.kind == "field"))


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
            predicate = _any_field(token.text)
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


def _any_field(word: str) -> Predicate:
    pattern = _glob(word, contains=True)
    texts = ("genre", "variant", "family", "regularizer", "state", "study", "run", "tag")
    return lambda record: any(fnmatchcase(_text(record.get(f)), pattern) for f in texts)


def _field_predicate(token: _Token) -> Predicate:
    field = _field(token)
    if field not in FIELDS:
        raise FilterError(f"unknown field `{field}`; known: {_near(field)}", token.position)
    if not token.value:
        raise FilterError(f"`{token.text}` needs a value", token.position)
    if token.op in _ORDER:
        return _ordered(field, _ORDER[token.op], _number(token))
    predicate = _equal(field, token.value, glob=token.op == ":")
    return _negated(predicate) if token.op == "!=" else predicate


def _field(token: _Token) -> str:
    name = re.split(r"\s*[<>!=:]", token.text)[0].lower()
    return ALIASES.get(name, name)


def _ordered(field: str, compare: Callable[[Any, Any], bool], bound: float) -> Predicate:
    def matches(record: Record) -> bool:
        value = record.get(field)
        return isinstance(value, int | float) and compare(value, bound)

    return matches


def _equal(field: str, value: str, *, glob: bool) -> Predicate:
    fields = ("name", "variant", "family") if field == "variant" else (field,)
    wanted = [v for v in value.split(",") if v]
    patterns = [_glob(v, contains=False) if glob else v.lower() for v in wanted]
    numbers = [n for n in map(_as_number, wanted) if n is not None]

    def matches(record: Record) -> bool:
        for name in fields:
            held = record.get(name)
            if isinstance(held, int | float) and not isinstance(held, bool) and held in numbers:
                return True
            text = _text(held)
            if glob and any(fnmatchcase(text, p) for p in patterns):
                return True
            if not glob and text in patterns:
                return True
        return False

    return matches


def _glob(value: str, *, contains: bool) -> str:
    pattern = value.lower().replace("[", "[[]")
    return f"*{pattern}*" if contains else pattern


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(map(str, value)).lower()
    return str(value).lower()


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _number(token: _Token) -> float:
    number = _as_number(token.value)
    if number is None:
        raise FilterError(f"`{token.value}` is not a number", token.position)
    return number


def _near(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, FIELDS, n=3, cutoff=0.5)
    return ", ".join(close or list(FIELDS)[:8])


def complete(text: str, values: Mapping[str, Collection[str]]) -> list[str]:
    """What the last word of `text` could become: fields, or a field's values.

    `values` gives the values that occur, by field.
    """
    last = re.split(r"[\s()]", text)[-1]
    head = text[: len(text) - len(last)]
    field, colon, start = last.partition(":")
    if not colon:
        return [f"{head}{name}:" for name in FIELDS if name.startswith(last.lower()) and last]
    done, comma, start = start.rpartition(",")
    known = sorted(values.get(ALIASES.get(field, field), ()), key=str.lower)
    options = [v for v in known if v.lower().startswith(start.lower())]
    quoted = [f'"{v}"' if " " in v else v for v in options]
    return [f"{head}{field}:{done}{comma}{v}" for v in quoted]
