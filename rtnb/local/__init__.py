"""The local endpoint: a realtime server to learn and test against.

Shares with the rest of rtnb only the words of the protocol.
"""
