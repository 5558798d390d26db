"""Ready tools, each a readable example: give them to a session, read them, write your own.

===================================================  ==================================================================
`calculate_sum`                                      the smallest tool: a function with annotations and a docstring
`set_memory`, `get_memory`, `Memory`                 two methods that share an object; kept in a file
`get_weather`, `Weather`, `weather_map`              two services asked in a row; recorded answers; something to show
`get_stock_price`, `Stocks`                          a service with a key
`query_database`, `Database`                         letting a model write code without trusting it
`search_documents`, `Documents`                      answers from your own files, with their source
`Calendar`, `Home`                                   dates and times; the state of a house
===================================================  ==================================================================

All of them work offline; where data is recorded or made up, the result says so. Imports `rtnb.core`.
"""

from __future__ import annotations

from rtnb.toolbox.arithmetic import calculate_sum
from rtnb.toolbox.calendar import Appointment, Calendar
from rtnb.toolbox.database import Database, query_database
from rtnb.toolbox.documents import Documents, search_documents
from rtnb.toolbox.home import Home
from rtnb.toolbox.memory import Memory, get_memory, set_memory, shared_memory
from rtnb.toolbox.stocks import Stocks, get_stock_price
from rtnb.toolbox.weather import Weather, get_weather
from rtnb.toolbox.weather_map import weather_map

__all__ = [
    "Appointment",
    "Calendar",
    "Database",
    "Documents",
    "Home",
    "Memory",
    "Stocks",
    "Weather",
    "calculate_sum",
    "get_memory",
    "get_stock_price",
    "get_weather",
    "query_database",
    "search_documents",
    "set_memory",
    "shared_memory",
    "weather_map",
]
