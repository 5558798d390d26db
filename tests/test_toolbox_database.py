"""The database tool: answers questions, and lets nothing else through."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rtnb.core.errors import ToolError
from rtnb.toolbox.database import Database, query_database


def test_the_sample_shop_answers_questions() -> None:
    assert query_database("SELECT COUNT(*) FROM orders") == {"rows": [{"COUNT(*)": 160}]}
    assert query_database("SELECT name, price FROM products WHERE category = 'video' ORDER BY price") == {
        "rows": [{"name": "Ring light", "price": 39.9}, {"name": "Webcam", "price": 74.0}]
    }
    best = query_database(
        "SELECT c.country, SUM(o.total) AS sales FROM orders o JOIN customers c ON c.id = o.customer_id "
        "GROUP BY c.country ORDER BY sales DESC LIMIT 1"
    )
    assert best == {"rows": [{"country": "United Kingdom", "sales": 10254.1}]}


def test_the_sample_adds_up() -> None:
    wrong = query_database(
        "SELECT COUNT(*) AS n FROM orders o LEFT JOIN products p ON p.id = o.product_id LEFT JOIN customers c "
        "ON c.id = o.customer_id WHERE c.id IS NULL OR p.id IS NULL OR ABS(o.total - o.quantity * p.price) > 0.001"
    )
    assert wrong == {"rows": [{"n": 0}]}


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("INSERT INTO customers VALUES (99, 'x', 'x', 'x', 'x')", "INSERT"),
        ("UPDATE orders SET total = 0", "UPDATE"),
        ("DELETE FROM orders", "DELETE"),
        ("WITH x AS (SELECT 1) DELETE FROM orders", "DELETE"),
        ("DROP TABLE orders", "this statement"),
        ("CREATE TABLE x (a)", "this statement"),
        ("CREATE TEMP TABLE x (a)", "this statement"),
        ("ALTER TABLE orders ADD COLUMN x", "ALTER TABLE"),
        ("ATTACH DATABASE 'FILE' AS other", "ATTACH"),
        ("DETACH DATABASE main", "DETACH"),
        ("PRAGMA table_info(orders)", "PRAGMA"),
        ("PRAGMA query_only = 0", "PRAGMA"),
        ("BEGIN", "TRANSACTION"),
        ("SAVEPOINT x", "SAVEPOINT"),
        ("VACUUM INTO 'FILE'", "ATTACH"),
        ("ANALYZE", "ANALYZE|this statement"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT fts3_tokenizer('simple')", "fts3_tokenizer"),
    ],
)
@pytest.mark.parametrize("kind", ["sample", "file"])
def test_whatever_is_not_reading_is_refused(sql: str, what: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "my.db"
    database = Database(make_file(path)) if kind == "file" else Database()
    before = path.read_bytes() if kind == "file" else b""
    stray = tmp_path / "stray.db"
    with pytest.raises(
        ToolError, match=rf"Only reading is allowed: ({what}) was refused|no such (function|table|column)"
    ):
        database.query_database(sql.replace("FILE", str(stray)))
    assert not stray.exists()
    assert before == (path.read_bytes() if kind == "file" else b"")
    assert query_database("SELECT COUNT(*) AS n FROM orders") == {"rows": [{"n": 160}]}


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1; DELETE FROM orders", "One statement at a time"),
        ("", "There was no query"),
        ("-- nothing", "There was no query"),
        ("SELEC 1", r'near "SELEC": syntax error. The tables are: customers\(id, name'),
        ("SELECT x FROM orders", "no such column: x"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELECT length(randomblob(100000000))", "too big"),
        ("SELECT ?", "binding|parameter|supplied"),
        ("SELECT '" + "x" * 20_000 + "'", "20,009 characters; 10,000 are allowed"),
        ("SELECT 1\0; DROP TABLE orders", "null character|embedded null|SQLite says"),
    ],
)
def test_what_sqlite_does_not_understand_is_told_with_the_tables(sql: str, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        query_database(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT MAX(x) FROM t",
        "SELECT COUNT(*) FROM orders a, orders b, orders c, orders d WHERE a.total + b.total > c.total + d.total",
    ],
)
def test_a_query_without_end_is_ended(sql: str) -> None:
    with pytest.raises(ToolError, match=r"took longer than 0\.05 seconds and was ended"):
        Database(max_seconds=0.05).query_database(sql)


def test_many_rows_are_cut_and_said_so() -> None:
    result = Database(max_rows=3).query_database("SELECT id FROM orders ORDER BY id")
    assert [row["id"] for row in result["rows"]] == [1, 2, 3]
    assert result["note"].startswith("Only the first 3 rows")
    assert "note" not in Database(max_rows=3).query_database("SELECT id FROM orders LIMIT 3")


def test_columns_of_one_name_are_all_kept() -> None:
    result = query_database("SELECT o.id, c.id, p.id FROM orders o, customers c, products p LIMIT 1")
    assert list(result["rows"][0]) == ["id", "id_2", "id_3"]


def make_file(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE birds (name TEXT, 'wing span' REAL); INSERT INTO birds VALUES ('Swift', 0.42);"
        )
        connection.execute("CREATE TABLE orders (id)")
        connection.commit()
    return path


def test_a_database_of_ones_own_names_its_tables_to_the_model(tmp_path: Path) -> None:
    database = Database(make_file(tmp_path / "birds #1?.db"))
    assert database.schema == "birds(name, wing span), orders(id)"
    made = database.tool(name="ask_birds", about="birds")
    assert made.name == "ask_birds"
    assert made.description == (
        "Answer questions about birds by an SQL query (SQLite, read-only, one SELECT statement). "
        "Tables: birds(name, wing span), orders(id)."
    )
    assert made.run(made.parse('{"sql": "SELECT * FROM birds"}')) == {"rows": [{"name": "Swift", "wing span": 0.42}]}
    assert repr(database) == "<Database birds #1?.db>"


def test_a_database_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no database"):
        Database(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_several_threads_may_ask_at_once() -> None:
    database = Database()
    found: list[Any] = []

    def ask() -> None:
        found.extend(database.query_database("SELECT COUNT(*) AS n FROM orders")["rows"] for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [[{"n": 160}]] * 20
