"""The replay: a recording, served over a real WebSocket to any client.

A wing beside the rooms, as the local endpoint is: sessions reach it by its address. Imports `rtnb.core` only.
"""
