"""The order of a conversation's items: a linked list, so that to insert costs the same however many there are.

An item says which one it follows (`Item.follows`, the ``previous_item_id`` of the server). When that one is not there
yet, the item waits at the end and is moved behind it, with all that follows it, once it comes.

Imports `rtnb.core.items` only.
"""

from __future__ import annotations

from collections.abc import Iterator

from rtnb.core.items import Item

__all__ = ["Order"]


class Order:
    """Items in the order of the conversation.

    A walk is safe while another thread changes the order: an item that was taken out still leads on.
    """

    __slots__ = ("_waiting", "count", "first", "last")

    def __init__(self) -> None:
        self.first: Item | None = None
        self.last: Item | None = None
        self.count = 0
        self._waiting: dict[str, Item] = {}  # id of an item that has not come -> the item that follows it

    def __iter__(self) -> Iterator[Item]:
        item = self.first
        while item is not None:
            yield item
            item = item.next

    def append(self, item: Item, *, follows: str | None = None) -> None:
        """Put `item` at the end; `follows` is the id of one that has yet to come."""
        if follows is not None and follows != item.id:
            self._waiting[follows] = item
        self.insert(item, self.last)

    def insert(self, item: Item, previous: Item | None) -> None:
        """Put `item` right after `previous`, or in front."""
        item.placed = True
        self.count += 1
        self._link(previous, item, item)
        run = self._waiting.pop(item.id, None)
        if run is not None and run.placed and run.previous is not item:
            self._bring(run, item)

    def remove(self, item: Item) -> None:
        """Take `item` out."""
        item.placed = False
        self.count -= 1
        self._unlink(item, item)

    def _bring(self, start: Item, item: Item) -> None:
        """Move `start`, and what follows it by the server's word, to right after `item`."""
        end = start
        while True:
            if end is item:  # a circle: nothing that a sane server says
                return
            following = end.next
            if following is None or following.follows != end.id:
                break
            end = following
        self._unlink(start, end)
        self._link(item, start, end)

    def _unlink(self, start: Item, end: Item) -> None:
        before, after = start.previous, end.next
        if before is None:
            self.first = after
        else:
            before.next = after
        if after is None:
            self.last = before
        else:
            after.previous = before

    def _link(self, before: Item | None, start: Item, end: Item) -> None:
        after = self.first if before is None else before.next
        start.previous, end.next = before, after
        if before is None:
            self.first = start
        else:
            before.next = start
        if after is None:
            self.last = end
        else:
            after.previous = end
