"""Pure logic: no asyncio, no sockets, no clock, no widgets. Time comes in as an argument."""
