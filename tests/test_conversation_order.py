"""Where items stand."""

from __future__ import annotations

import pytest
from helpers_conversation import UNHURRIED, Told, buffer, item, message, output, response, spoken, user
from hypothesis import given
from hypothesis import strategies as st


def backwards(told: Told) -> list[str]:
    ids, at = [], told.conversation.last
    while at is not None:
        ids.append(at.id)
        at = at.previous
    return ids[::-1]


def test_an_item_stands_after_the_one_it_follows() -> None:
    told = Told(user("a"), user("b", previous="a"), user("between", previous="a"))
    assert told.ids == ["a", "between", "b"] == backwards(told)
    assert told.conversation.count == 3


def test_an_item_of_the_client_without_predecessor_is_the_first() -> None:
    told = Told(user("a"), user("b", previous="a"), user("front", previous=None))
    assert told.ids == ["front", "a", "b"]


def test_an_item_whose_event_names_no_predecessor_at_all_is_the_last() -> None:
    late = user("late")
    del late["previous_item_id"]
    assert Told(user("a"), late).ids == ["a", "late"]


def test_an_answer_without_predecessor_is_not_put_before_the_question() -> None:
    told = Told(user("a"), response("created"), output("added", message("b")), item("added", message("b"), None))
    assert told.ids == ["a", "b"]


def test_committed_speech_without_predecessor_is_the_last() -> None:
    assert Told(user("a"), buffer("committed", "b"), spoken("b")).ids == ["a", "b"]


def test_committed_speech_stands_where_the_commit_has_said() -> None:
    told = Told(user("a"), user("c", previous="a"), buffer("committed", "b", previous_item_id="a"), spoken("b"))
    assert told.ids == ["a", "b", "c"]


def test_an_item_that_the_client_put_at_the_end_is_the_last() -> None:
    told = Told(user("a"))
    told.client({"type": "conversation.item.create", "item": {"id": "b", "type": "message"}})
    told.server(user("b"))
    assert told.ids == ["a", "b"]


def test_an_item_that_the_client_put_in_front_is_the_first() -> None:
    told = Told(user("a"))
    create = {"type": "conversation.item.create", "item": {"id": "b", "type": "message"}, "previous_item_id": "root"}
    told.client(create)
    told.server(user("b"))
    assert told.ids == ["b", "a"]


def test_an_item_announced_twice_stands_once() -> None:
    told = Told(user("a"), user("b", previous="a"), user("a", phase="done"), user("b", previous="a", phase="done"))
    assert told.ids == ["a", "b"]
    assert told.kinds.count("item_added") == 2


def test_a_deleted_item_is_gone_but_still_known() -> None:
    told = Told(user("a"), user("b", previous="a"), {"type": "conversation.item.deleted", "item_id": "a"})
    assert told.ids == ["b"] == backwards(told)
    assert told["a"].deleted
    assert told.kinds[-1] == "item_deleted"


def test_what_comes_late_for_a_deleted_item_does_not_bring_it_back() -> None:
    told = Told(user("a"), {"type": "conversation.item.deleted", "item_id": "a"}, user("a", phase="done"))
    assert told.ids == []


def test_an_item_added_again_under_the_id_of_a_deleted_one_is_a_new_one() -> None:
    told = Told(user("a", "old"), {"type": "conversation.item.deleted", "item_id": "a"}, user("a", "new"))
    assert [x.text for x in told.conversation.items] == ["new"]


@pytest.mark.parametrize("follows", ["a", "b"])
def test_items_that_follow_each_other_in_a_circle_do_no_harm(follows: str) -> None:
    told = Told(user("a", previous="b"), user("b", previous=follows))
    assert sorted(told.ids) == ["a", "b"]
    assert told.ids == backwards(told)


@UNHURRIED
@given(st.permutations(range(8)))
def test_items_come_out_in_order_in_whatever_order_they_came(arrival: list[int]) -> None:
    told = Told(*[user(f"item_{n}", previous=f"item_{n - 1}" if n else None) for n in arrival])
    assert told.ids == [f"item_{n}" for n in range(8)] == backwards(told)


@UNHURRIED
@given(st.data())
def test_the_order_is_that_of_a_plain_list(data: st.DataObject) -> None:
    told, model = Told(), []
    for n in range(data.draw(st.integers(1, 15))):
        if model and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(model))
            model.remove(gone)
            told.server({"type": "conversation.item.deleted", "item_id": gone})
            continue
        at = data.draw(st.integers(0, len(model)))
        told.server(user(f"item_{n}", previous=model[at - 1] if at else None))
        model.insert(at, f"item_{n}")
    assert told.ids == model == backwards(told)
    assert told.conversation.count == len(model)
