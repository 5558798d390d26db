"""The doors: transports, endpoints with their keys and headers, and the relay. Imports `rtnb.core` only."""
