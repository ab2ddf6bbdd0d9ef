"""What may be seen, as SQL: the engine's filter over the columns of a table.

A page is not one query with OR: where two rare branches meet, the planner walks the whole date index.
Each branch is read in the page's order through its own index, one range for each of its values; the
ranges are merged as they come, and reading ends with the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from portero.engine import Branch, Dimension, Exclusion, Term, Visible

MOST_RANGES = 32
"""Of one branch, merged as they come. To plan a range costs more than to read it, so that beyond them
the first rows of all are fetched by one loop, and sorted."""


class Placeholders(Enum):
    """How a driver marks parameters."""

    ASYNCPG = "${}"
    PSYCOPG = "%s"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the listed table that serves a dimension; NULL = the attribute is absent."""

    sql: str
    type: str = "uuid"


@dataclass(frozen=True, slots=True)
class Exists:
    """Rows of another table that serve a many-valued dimension; no row = it is known to be empty."""

    table: str
    match: str
    """The condition that joins it to the listed table."""
    value: str
    """Its column with the dimension's value."""
    type: str = "uuid"
    order: tuple[str, ...] = ()
    """Its own copies of the order keys, always equal to the row's; no value twice for a row. With
    them, and an index on the value that ends in them, it can drive a branch; without, a branch
    restricted in nothing else walks the list."""
    copies: Mapping[Dimension, Column] = field(default_factory=dict)
    """Its own copies of columns that serve other dimensions, always equal to the row's, NULL where
    that is. A branch that it drives asks them instead, so that an index on the value and on them
    tells apart what would be found out only row by row."""
    array: str = ""
    """The listed table's own array of its values, always equal to them, never NULL. With it, rows
    that something else drives are asked without a look-up for each."""


@dataclass(frozen=True, slots=True)
class OrderKey:
    """A column that a list is ordered by, latest first; never NULL."""

    column: str
    """Its bare name, in the table and in the page."""
    type: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A table whose rows are listed, and which of its columns serve the engine's dimensions.

    All SQL here is written by developers; values only ever travel as parameters.
    """

    table: str
    order: tuple[OrderKey, ...]
    """Together unique, so that pages neither repeat nor skip a row. They are a page's first columns:
    those of its last row are what the next page comes after."""
    select: str
    """A page's further columns."""
    dimensions: Mapping[Dimension, Column | Exists]
    """Those that nothing serves are left out. Those that select best come first: a branch is driven
    by the first of its dimensions here that can, so each wants an index that ends in the order keys.
    `unassigned` follows from the column of `owner`."""


@dataclass(frozen=True, slots=True)
class Given:
    """What is asked of the rows besides being visible: SQL with one `{}` for each value."""

    sql: str
    values: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and its parameters, in order."""

    sql: str
    values: tuple[object, ...]


@dataclass(slots=True)
class Parameters:
    """The parameters of a statement that is being written; added in the order of its text."""

    style: Placeholders
    values: list[object] = field(default_factory=list)

    def add(self, value: object) -> str:
        """Add a value and return its placeholder."""
        self.values.append(value)
        return self.style.value.format(len(self.values))

    def fill(self, given: Given) -> str:
        return given.sql.format(*map(self.add, given.values))


def page(
    listing: Listing,
    visible: Visible,
    given: Given,
    *,
    limit: int,
    style: Placeholders,
    after: Sequence[object] | None = None,
) -> Query:
    """Select the first `limit` visible rows, or those that follow the order keys `after`."""
    writer = _Writer(listing, Parameters(style))
    rows = writer.rows(visible.branches, _Page(given, visible.exclusions, after, limit))
    return Query(rows, tuple(writer.parameters.values))


def count(
    listing: Listing, visible: Visible, given: Given, *, at_most: int, style: Placeholders
) -> Query:
    """Count the visible rows, none beyond `at_most` + 1: that one says "more than"."""
    writer = _Writer(listing, Parameters(style))
    asked = _Page(given, visible.exclusions, None, at_most + 1, whole=False)
    rows = writer.rows(visible.branches, asked)
    return Query(f"SELECT count(*) FROM ({rows}) AS counted", tuple(writer.parameters.values))  # noqa: S608 - written above, with parameters


def where(listing: Listing, visible: Visible, parameters: Parameters) -> str:
    """Write the whole filter as one condition: for rows found by their id."""
    writer = _Writer(listing, parameters)
    branches = [_all(writer.terms(branch.terms)) for branch in writer.served(visible.branches)]
    if not branches:
        return "false"
    return _all([f"({' OR '.join(branches)})", *writer.outside(visible.exclusions)])


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions) or "true"


@dataclass(frozen=True, slots=True)
class _Page:
    """What is asked of every range of a page."""

    given: Given
    exclusions: Sequence[Exclusion]
    after: Sequence[object] | None
    limit: int
    whole: bool = True
    """Whether more of a row is wanted than its keys; a count can do without the table."""


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the parts of one statement, each adding its parameters as it goes."""

    listing: Listing
    parameters: Parameters

    def served(self, branches: Iterable[Branch]) -> list[Branch]:
        """Leave out every branch with a dimension that nothing serves: it is empty."""
        return [b for b in branches if all(self._serving(t.dimension) for t in b.terms)]

    def rows(self, branches: Iterable[Branch], asked: _Page) -> str:
        """Select the rows of all branches, each once."""
        ranges = [cut for branch in self.served(branches) for cut in self.ranges(branch, asked)]
        if not ranges:
            return f"SELECT FROM {self.listing.table} WHERE false"
        if len(ranges) == 1:
            return ranges[0]
        return self.merged(f"({' UNION ALL '.join(f'({cut})' for cut in ranges)}) AS merged", asked)

    def ranges(self, branch: Branch, asked: _Page) -> Iterator[str]:
        """Select the first rows of a branch, from one index range for each value of its driver."""
        # Placeholders are numbered as they are written, so all pieces are made in textual order.
        driver = self._driver(branch)
        if driver is None:
            yield self._range(None, (), branch.terms, asked)
            return
        term, serving = driver
        rest = [other for other in branch.terms if other is not term]
        column = serving.sql if isinstance(serving, Column) else serving.value
        if len(term.values) > MOST_RANGES:
            values = f"unnest({self.parameters.add(sorted(term.values))}::{serving.type}[])"
            cut = self._range(serving, (f"{column} = driving.value",), rest, asked)
            yield self.merged(f"{values} AS driving(value), LATERAL ({cut}) AS merged", asked)
            return
        for value in sorted(term.values):
            driving = f"{column} = {self.parameters.add(value)}::{serving.type}"
            yield self._range(serving, (driving,), rest, asked)

    def merged(self, ranges: str, asked: _Page) -> str:
        """Select rows of ranges that may share some: equal rows follow each other."""
        keys = [f"merged.{key.column}" for key in self.listing.order]
        return f"SELECT DISTINCT ON ({', '.join(keys)}) merged.* FROM {ranges} {self._cut(keys, asked)}"  # noqa: S608 - written above, with parameters

    def _cut(self, keys: Iterable[str], asked: _Page) -> str:
        return f"ORDER BY {', '.join(f'{key} DESC' for key in keys)} LIMIT {asked.limit:d}"

    def _range(
        self,
        serving: Column | Exists | None,
        driving: Sequence[str],
        rest: Iterable[Term],
        asked: _Page,
    ) -> str:
        source, keys = self._source(serving)
        named = zip(keys, self.listing.order, strict=True)
        columns = [f"{key} AS {order_key.column}" for key, order_key in named]
        if asked.whole:
            columns.append(self.listing.select)
        reading = self._reading(serving)
        condition = _all(
            [
                *driving,
                self.parameters.fill(asked.given),
                *reading.terms(rest),
                *reading.outside(asked.exclusions),
                *self._following(keys, asked.after),
            ]
        )
        cut = self._cut(keys, asked)
        return f"SELECT {', '.join(columns)} FROM {source} WHERE {condition} {cut}"  # noqa: S608 - written above, with parameters

    def terms(self, terms: Iterable[Term]) -> Iterator[str]:
        for term in terms:
            serving = self._serving(term.dimension)
            if serving is not None:
                yield self._term(term, serving)

    def outside(self, exclusions: Iterable[Exclusion]) -> Iterator[str]:
        """Write that a row lies in none of the exclusions; what nothing serves holds there."""
        for exclusion in exclusions:
            yield f"NOT ({_all(self._absent_or(exclusion.terms))})"

    def _absent_or(self, terms: Iterable[Term]) -> Iterator[str]:
        for term in terms:
            match self._serving(term.dimension):
                case Column() as column:
                    yield f"({column.sql} IS NULL OR {self._term(term, column)})"
                case Exists(array="") as exists:
                    # A query of its own, so that it is asked row by row. Bare, the planner weighs a
                    # join in each range, or reads the whole side table into a hash for one page.
                    yield f"(SELECT {self._term(term, exists)})"
                case Exists() as exists:
                    yield self._term(term, exists)

    def _source(self, driving: Column | Exists | None) -> tuple[str, tuple[str, ...]]:
        """Say what a branch reads from, and what that is ordered by."""
        table = self.listing.table
        if isinstance(driving, Exists):
            return f"{driving.table} JOIN {table} ON {driving.match}", driving.order
        return table, tuple(f"{table}.{key.column}" for key in self.listing.order)

    def _reading(self, driving: Column | Exists | None) -> _Writer:
        """Write what follows over the driver's copies of other columns."""
        if not isinstance(driving, Exists) or not driving.copies:
            return self
        served = self.listing.dimensions.items()
        copied = {dimension: driving.copies.get(dimension, own) for dimension, own in served}
        return replace(self, listing=replace(self.listing, dimensions=copied))

    def _following(self, keys: Sequence[str], after: Sequence[object] | None) -> Iterator[str]:
        if after is not None:
            types = [key.type for key in self.listing.order]
            given = zip(after, types, strict=True)
            values = ", ".join(f"{self.parameters.add(value)}::{type_}" for value, type_ in given)
            yield f"({', '.join(keys)}) < ({values})"

    def _serving(self, dimension: Dimension) -> Column | Exists | None:
        if dimension is not Dimension.UNASSIGNED:
            return self.listing.dimensions.get(dimension)
        owner = self.listing.dimensions.get(Dimension.OWNER)
        return owner if isinstance(owner, Column) else None

    def _driver(self, branch: Branch) -> tuple[Term, Column | Exists] | None:
        terms = {term.dimension: term for term in branch.terms}
        for dimension, serving in self.listing.dimensions.items():
            drives = isinstance(serving, Column) or bool(serving.order)
            if drives and dimension in terms:
                return terms[dimension], serving
        return None

    def _term(self, term: Term, serving: Column | Exists) -> str:
        match serving:
            case Column() if term.dimension is Dimension.UNASSIGNED:
                return f"{serving.sql} IS NULL"
            case Column():
                return self._among(serving.sql, term, serving)
            case Exists() if serving.array:
                values = self.parameters.add(sorted(term.values))
                return f"{serving.array} && {values}::{serving.type}[]"
            case Exists():
                matching = f"{serving.match} AND {self._among(serving.value, term, serving)}"
                return f"EXISTS (SELECT FROM {serving.table} WHERE {matching})"

    def _among(self, column: str, term: Term, serving: Column | Exists) -> str:
        if len(term.values) == 1:  # so that an index on both it and the driver keeps the order
            return f"{column} = {self.parameters.add(*term.values)}::{serving.type}"
        return f"{column} = ANY({self.parameters.add(sorted(term.values))}::{serving.type}[])"
