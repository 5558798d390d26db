"""A small shop to ask questions about: made-up customers, products and orders, the same at each run.

Imports nothing of rtnb.
"""

from __future__ import annotations

import datetime
import sqlite3
from typing import Final

__all__ = ["fill"]

_CUSTOMERS: Final = (
    ("Ada Novak", "Vienna", "Austria"), ("Ben Ortiz", "Madrid", "Spain"), ("Chloe Martin", "Paris", "France"),
    ("Dimitri Pappas", "Athens", "Greece"), ("Elsa Lindgren", "Stockholm", "Sweden"),
    ("Farid Haddad", "Paris", "France"), ("Grace Obi", "London", "United Kingdom"),
    ("Hugo Keller", "Berlin", "Germany"), ("Ines Costa", "Lisbon", "Portugal"), ("Jonas Weber", "Berlin", "Germany"),
    ("Kaja Nowak", "Warsaw", "Poland"), ("Liam Byrne", "Dublin", "Ireland"), ("Mia Rossi", "Rome", "Italy"),
    ("Noah de Vries", "Amsterdam", "Netherlands"), ("Olga Petrova", "Vienna", "Austria"),
    ("Paul Dubois", "Lyon", "France"), ("Quinn Murphy", "London", "United Kingdom"),
    ("Rosa Vidal", "Barcelona", "Spain"), ("Sven Olsen", "Oslo", "Norway"), ("Tara Singh", "London", "United Kingdom"),
)  # fmt: skip
_PRODUCTS: Final = (
    ("USB microphone", "audio", 89.0), ("Headset", "audio", 59.5), ("Headphones", "audio", 129.0),
    ("Loudspeaker", "audio", 199.0), ("Pop filter", "accessories", 14.9), ("Desk stand", "accessories", 24.9),
    ("XLR cable", "accessories", 12.5), ("Audio interface", "studio", 149.0), ("MIDI keyboard", "studio", 99.0),
    ("Studio monitor", "studio", 249.0), ("Webcam", "video", 74.0), ("Ring light", "video", 39.9),
)  # fmt: skip
_ORDERS: Final = 160


def fill(connection: sqlite3.Connection) -> None:
    """Create and fill the tables ``customers``, ``products`` and ``orders``.

    Parameters
    ----------
    connection
        To an empty database.
    """
    start = datetime.date(2026, 1, 5)
    connection.executescript("""
        CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, country TEXT, since DATE);
        CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, category TEXT, price REAL);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers,
            product_id INTEGER REFERENCES products, quantity INTEGER, ordered_on DATE, total REAL);
    """)
    connection.executemany(
        "INSERT INTO customers VALUES (?, ?, ?, ?, ?)",
        [
            (number, *customer, (datetime.date(2023, 2, 1) + datetime.timedelta(days=53 * number)).isoformat())
            for number, customer in enumerate(_CUSTOMERS, 1)
        ],
    )
    connection.executemany(
        "INSERT INTO products VALUES (?, ?, ?, ?)", [(number, *product) for number, product in enumerate(_PRODUCTS, 1)]
    )
    orders = []
    for number in range(1, _ORDERS + 1):
        # Multipliers without a common factor with the lengths: spread out, and the same everywhere.
        customer = (number * number * 7 + number) % len(_CUSTOMERS) + 1
        product = (number * 5 + number // 7) % len(_PRODUCTS) + 1
        quantity = 1 + (number * number) % 5 // 2
        day = start + datetime.timedelta(days=2 * number - number % 3)
        total = round(quantity * _PRODUCTS[product - 1][2], 2)
        orders.append((number, customer, product, quantity, day.isoformat(), total))
    connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", orders)
    connection.commit()
