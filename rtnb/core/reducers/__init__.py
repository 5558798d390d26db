"""How each event changes the state of a conversation, by subject; `rtnb.core.conversation` puts the tables together.

Each module has tables from the name of an event to a small function ``(state, event) -> changes``. A function raises
for nothing that JSON can hold: what is malformed is answered with an ``unknown`` change.
"""
