"""Questions to a database: a tool that lets a model write SQL, and lets it do no harm.

Whoever lets a model write code must not trust the code. Here sqlite itself keeps watch, not a search for bad words:

- An *authorizer* is asked for each thing that a statement wants to do, before it runs. Reading and calling functions is
  allowed, all else is refused: writing, ``ATTACH``, ``PRAGMA``, transactions, loading extensions.
- A *progress handler* is called every few thousand steps and ends a query that takes too long.
- Limits on the length of values and on the number of rows keep a result small enough to be told.
- Each query has a connection of its own; a file is opened read-only besides.

The model can only ask for what it knows of: the tables stand in the tool's description. For your own database::

    database = rtnb.toolbox.Database("my.db")
    session.tool(database.tool())

Imports `rtnb.core` and `rtnb.toolbox.sample_shop`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Final

from rtnb.core.errors import ToolError
from rtnb.core.tools import Tool
from rtnb.toolbox.sample_shop import fill

__all__ = ["Database", "query_database"]

_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_FORBIDDEN_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
_STEPS: Final = 5_000  # virtual machine steps between two looks at the clock: about a millisecond
_VALUE_BYTES: Final = 1_000_000
_SQL_CHARS: Final = 10_000


class Database:
    """A database to be asked, never changed; `query_database` asks the sample one.

    Parameters
    ----------
    path
        An sqlite file, which must exist. Without one, a small shop with customers, products and orders: sample data.
    max_rows
        The most rows of a result; when there are more, it says so.
    max_seconds
        How long a query may take.
    """

    def __init__(self, path: str | Path | None = None, *, max_rows: int = 50, max_seconds: float = 2.0) -> None:
        if path is not None and not Path(path).is_file():
            raise FileNotFoundError(f"there is no database {str(path)!r}")
        self.path = Path(path) if path is not None else None
        self.max_rows = max_rows
        self.max_seconds = max_seconds

    def query_database(self, sql: str) -> dict[str, Any]:
        """Answer questions about a shop by an SQL query (SQLite, read-only, one SELECT statement).

        Tables: customers(id, name, city, country, since), products(id, name, category, price), orders(id,
        customer_id, product_id, quantity, ordered_on, total). Prices are in euros, dates are like 2026-11-20. Use it
        whenever asked about customers, products, orders or sales; let SQL count, sum and sort.

        Parameters
        ----------
        sql
            One SELECT statement, for example "SELECT COUNT(*) FROM orders".
        """
        if len(sql) > _SQL_CHARS:
            raise ToolError(f"The query has {len(sql):,} characters; {_SQL_CHARS:,} are allowed.")
        refused: list[str] = []
        too_long: list[bool] = []
        with closing(self._connection()) as connection:
            _guard(connection, refused, too_long, time.monotonic() + self.max_seconds)
            try:
                cursor = connection.execute(sql)
                found = cursor.fetchmany(self.max_rows + 1)
            except (sqlite3.Error, sqlite3.Warning) as exc:
                raise ToolError(self._words(exc, refused, too_long)) from exc
            names = _distinct(column[0] for column in cursor.description or ())
            if not names:
                raise ToolError("There was no query. Send one SELECT statement.")
        rows = [dict(zip(names, map(_short, row), strict=True)) for row in found[: self.max_rows]]
        result: dict[str, Any] = {"rows": rows}
        if len(found) > self.max_rows:
            result["note"] = (
                f"Only the first {self.max_rows} rows are shown; there are more. Let SQL count, sum or sort."
            )
        return result

    @property
    def schema(self) -> str:
        """The tables with their columns, as a model needs to know them: ``orders(id, customer_id, total)``."""
        with closing(self._connection()) as connection:
            tables: dict[str, list[str]] = {}
            for table, column in connection.execute(
                "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c "
                "WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%' ORDER BY t.rowid, c.cid"
            ):
                tables.setdefault(table, []).append(column)
        return ", ".join(f"{table}({', '.join(columns)})" for table, columns in tables.items())

    def tool(self, *, name: str = "query_database", about: str = "a database") -> Tool:
        """The tool with a description that names the tables of this very database.

        Parameters
        ----------
        name
            Of the tool.
        about
            What the database is about, in a few words: the model picks the tool by it.
        """
        description = (
            f"Answer questions about {about} by an SQL query (SQLite, read-only, one SELECT statement). "
            f"Tables: {self.schema}."
        )
        return Tool.from_function(self.query_database, name=name, description=description)

    def __repr__(self) -> str:
        return f"<Database {self.path.name if self.path else 'sample shop'}>"

    def _connection(self) -> sqlite3.Connection:
        if self.path is not None:
            return sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.deserialize(_sample())
        return connection

    def _words(self, exc: Exception, refused: list[str], too_long: list[bool]) -> str:
        if too_long:
            return f"The query took longer than {self.max_seconds:g} seconds and was ended. Ask for less."
        if refused:
            return f"Only reading is allowed: {refused[0]} was refused."
        if "one statement" in str(exc):
            return "One statement at a time."
        return f"SQLite says: {exc}. The tables are: {self.schema}."


@cache
def _sample() -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        fill(connection)
        return connection.serialize()


def _guard(connection: sqlite3.Connection, refused: list[str], too_long: list[bool], until: float) -> None:
    """Let sqlite ask before it does anything, and look at the clock while it works."""

    def authorize(action: int, first: str | None, second: str | None, *_: object) -> int:
        function = (second or "").lower() if action == sqlite3.SQLITE_FUNCTION else ""
        if action in _ALLOWED and function not in _FORBIDDEN_FUNCTIONS:
            return sqlite3.SQLITE_OK
        of_schema = first is not None and first.startswith("sqlite_")  # CREATE TABLE begins by an INSERT there
        refused.append("this statement" if of_schema else _ACTIONS.get(action) or second or first or "this statement")
        return sqlite3.SQLITE_DENY

    def look() -> int:
        if time.monotonic() > until:
            too_long.append(True)
            return 1
        return 0

    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES)
    connection.set_progress_handler(look, _STEPS)
    connection.set_authorizer(authorize)


_ACTIONS: Final = {
    getattr(sqlite3, f"SQLITE_{name.upper().replace(' ', '_')}"): name.upper()
    for name in (
        "insert", "update", "delete", "attach", "detach", "pragma", "transaction", "savepoint", "create table",
        "create index", "create view", "create trigger", "create temp table", "create temp index", "create temp view",
        "create temp trigger", "drop table", "drop index", "drop view", "drop trigger", "alter table", "reindex",
        "analyze",
    )
}  # fmt: skip


def _short(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value  # 5176.1, not 5176.099999999999


def _distinct(names: Iterable[str]) -> list[str]:
    """Names of columns, each once: two that are called ``id`` become ``id`` and ``id_2``."""
    found: list[str] = []
    for name in names:
        number = 2
        distinct = name
        while distinct in found:
            distinct, number = f"{name}_{number}", number + 1
        found.append(distinct)
    return found


query_database = Database().query_database
