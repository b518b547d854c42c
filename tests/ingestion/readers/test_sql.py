import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingestion.readers.picture_values import PictureBytes
from ingestion.readers.sql import SqlReader
from polyloom.errors import DataError, RequestError

SECRET = "s3cret/of:the@test"
FILL = (
    "CREATE SCHEMA store",
    "CREATE TABLE store.events (at timestamptz, id int PRIMARY KEY, price numeric, tags text[], note text, raw bytea)",
    """INSERT INTO store.events SELECT '2026-01-01T00:00:00Z', n, n / 10.0, ARRAY['a', '乙'], 'n' || n, '\\x01'
       FROM generate_series(5000, 1, -1) n""",
    "UPDATE store.events SET at = 'infinity' WHERE id = 2",
)


@pytest.fixture
def database(tmp_path: Path) -> Callable[..., str]:
    def make(*statements: str) -> str:
        with sqlite3.connect(tmp_path / "shop.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
        return f"sqlite:///{tmp_path}/shop.db"

    return make


@pytest.fixture
def shop(database: Callable[..., str]) -> str:
    return database(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL, photo BLOB)",
        "INSERT INTO items VALUES (3, '红色 jacket', 9.5, x'01'), (1, 'shoe', NULL, NULL)",
        "INSERT INTO items VALUES (2, '12:30 :now 50%', 1, x'')",
    )


def values(reader: SqlReader) -> list[dict]:
    return [dict(row.values) for row in reader.rows()]


def test_a_table_comes_in_the_order_of_its_primary_key(shop: str) -> None:
    reader = SqlReader(shop, table="items", image="photo")
    assert reader.header() == {"id", "name", "price", "photo"}
    rows = list(reader.rows())
    assert [(row.source, row.number, row.values["id"]) for row in rows] == [
        ("table items", 1, 1), ("table items", 2, 2), ("table items", 3, 3),
    ]  # fmt: skip
    assert rows[2].values == {"id": 3, "name": "红色 jacket", "price": 9.5, "photo": PictureBytes(b"\x01")}
    assert rows[0].values["photo"] is None


def test_a_query_keeps_its_own_order_unless_there_is_a_key(shop: str) -> None:
    query = "SELECT id AS item_id, name FROM items ORDER BY name DESC; "
    assert [row["item_id"] for row in values(SqlReader(shop, query=query))] == [3, 1, 2]
    assert [row["item_id"] for row in values(SqlReader(shop, query=query, key="item_id"))] == [1, 2, 3]
    assert SqlReader(shop, query=query).header() == {"item_id", "name"}
    assert next(SqlReader(shop, query=query).rows()).source == "query"


@pytest.mark.parametrize("key", [None, "a"])
def test_colons_percents_and_a_last_comment_are_no_parameters(shop: str, key: str | None) -> None:
    query = (
        "WITH one AS (SELECT ':x 12:30' AS a, name FROM items WHERE name LIKE '%:now 50%') SELECT * FROM one -- :end"
    )
    reader = SqlReader(shop, query=query, key=key)
    assert values(reader) == [{"a": ":x 12:30", "name": "12:30 :now 50%"}]
    assert reader.header() == {"a", "name"}


@pytest.mark.parametrize(
    "query", ["DELETE FROM items", "DROP TABLE items", "-- SELECT\nINSERT INTO items (id) VALUES (9)"]
)
def test_a_query_must_read(shop: str, query: str) -> None:
    with pytest.raises(
        RequestError, match=r"query: '.*' does not read. It must start with SELECT, WITH, VALUES or TABLE"
    ):
        SqlReader(shop, query=query)


def test_nothing_is_written(shop: str) -> None:
    query = "WITH one AS (SELECT 1) INSERT INTO items (id) SELECT 9"
    with pytest.raises(DataError, match=r"shop.db, query: attempt to write a readonly database"):
        list(SqlReader(shop, query=query).rows())
    assert len(values(SqlReader(shop, table="items"))) == 3
    assert values(SqlReader(shop, query="/* one */ -- two\n SELECT 1 AS a")) == [{"a": 1}]


def test_text_that_is_not_utf8_spoils_its_own_row_only(database: Callable[..., str]) -> None:
    url = database("CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('fine'), (CAST(x'ff41' AS TEXT)), ('好')")
    assert [row["a"] for row in values(SqlReader(url, table="t"))] == ["fine", "\udcffA", "好"]


def test_a_relative_sqlite_file_lies_beside_the_scenario(shop: str, tmp_path: Path) -> None:
    assert len(values(SqlReader("sqlite:///shop.db", table="items", folder=tmp_path))) == 3


@pytest.mark.parametrize("url", ["sqlite:///gone.db", "sqlite://"])
def test_a_missing_sqlite_file_is_not_made(url: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"url: there is no SQLite file .*Check the path"):
        SqlReader(url, table="items", folder=tmp_path)
    assert not list(tmp_path.glob("*.db"))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(DataError, match=r"shop.db, table items: file is not a database"):
        SqlReader("sqlite:///shop.db", table="items", folder=tmp_path).header()


def test_requests_that_cannot_be_meant(shop: str) -> None:
    with pytest.raises(RequestError, match=r"give one of `table` and `query`"):
        SqlReader(shop)
    with pytest.raises(RequestError, match=r"has no table 'item'. Did you mean 'items'\? It has items"):
        SqlReader(shop, table="item").header()
    with pytest.raises(RequestError, match=r"key: table items has no column 'nam'. Did you mean 'name'\?"):
        SqlReader(shop, table="items", key="nam").header()
    with pytest.raises(RequestError, match=r"query: it gives the column 'id' twice"):
        SqlReader(shop, query="SELECT a.id, b.id FROM items a, items b").header()
    with pytest.raises(DataError, match=r"shop.db, query: no such table: gone"):
        SqlReader(shop, query="SELECT * FROM gone").header()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"postgres {SECRET}", "it cannot be read"),
        (f"nosuch://me:{SECRET}@h/d", "nosuch"),
        (f"postgresql+psycopg://me:{SECRET}:x@h:port/d", "it cannot be read"),
        ("oracle+oracledb://me:pw-9@h/d", "the driver 'oracledb' for oracle addresses is not installed"),
    ],
)
def test_an_address_that_cannot_be_used_is_not_repeated(url: str, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        SqlReader(url, table="t").header()
    assert "s3cret" not in str(caught.value)
    assert "pw-9" not in str(caught.value)


def text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture
def filled(postgres: sa.URL) -> str:
    engine = sa.create_engine(postgres, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in FILL:
            connection.exec_driver_sql(statement)
    return text(postgres)


def test_postgres_is_streamed_in_the_order_of_the_key(filled: str) -> None:
    reader = SqlReader(filled, table="store.events", image="raw")
    assert reader.header() == {"at", "id", "price", "tags", "note", "raw"}
    rows = list(reader.rows())
    assert [row.values["id"] for row in rows] == list(range(1, 5001))
    assert rows[0].values == {
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "id": 1,
        "price": Decimal("0.1"),
        "tags": ["a", "乙"],
        "note": "n1",
        "raw": PictureBytes(b"\x01"),
    }
    assert rows[1].values["at"] == "infinity", "only this row's time is unreadable, the others are kept"


def test_postgres_query_with_casts_and_slices(filled: str) -> None:
    query = "SELECT note::text AS n, tags[1:1] AS t, id FROM store.events WHERE note LIKE 'n1%' ORDER BY id DESC"
    assert values(SqlReader(filled, query=query))[-1] == {"n": "n1", "t": ["a"], "id": 1}
    assert values(SqlReader(filled, query=query, key="id"))[0] == {"n": "n1", "t": ["a"], "id": 1}


def test_postgres_uses_a_cursor_of_the_server(filled: str) -> None:
    rows = SqlReader(filled, query="SELECT generate_series(1, 100000000) AS id").rows()
    assert [next(rows).values["id"] for _ in range(3)] == [1, 2, 3]
    rows.close()


def test_postgres_is_only_read(filled: str) -> None:
    query = "WITH gone AS (DELETE FROM store.events RETURNING id) SELECT * FROM gone"
    with pytest.raises(DataError, match=r"read-only transaction|must not contain data-modifying"):
        list(SqlReader(filled, query=query).rows())


def test_a_password_is_never_shown(postgres: sa.URL) -> None:
    wrong = postgres.set(password="wr0ng/pass:word")
    with pytest.raises(
        DataError, match=r"postgresql\+psycopg://owner@127.0.0.1:\d+/test_\w+ cannot be reached"
    ) as caught:
        SqlReader(text(wrong), table="t").header()
    assert "wr0ng" not in str(caught.value)
    assert caught.value.__cause__ is None
    in_query = sa.URL.create(
        postgres.drivername,
        postgres.username,
        None,
        postgres.host,
        postgres.port,
        postgres.database,
        {"password": SECRET},
    )
    with pytest.raises(DataError, match=r"query: relation .gone. does not exist") as caught:
        SqlReader(text(in_query), query="SELECT * FROM gone").header()
    assert "s3cret" not in str(caught.value)


def test_a_server_that_does_not_answer(postgres: sa.URL) -> None:
    with pytest.raises(DataError, match=r"127.0.0.1:1/.* cannot be reached: .*refused") as caught:
        SqlReader(text(postgres.set(port=1)), table="t").header()
    assert "s3cret" not in str(caught.value)
