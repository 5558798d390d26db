"""The settings of a session, its conversation, and the audio buffer by hand."""

from __future__ import annotations

import pytest
from helpers_session import Heard, Lab, lab

import rtnb
from rtnb.session.session import SessionState

__all__ = ["lab"]

MS = 48


def spoken(ms: int) -> bytes:
    return b"\x00\x10\x00\xf0" * (ms * MS // 4)


# ---- update


def test_an_update_gives_the_effective_session(lab: Lab) -> None:
    session = lab.session()
    session.connect()
    effective = session.update(instructions="Be brief.", turn_detection="server_vad", max_output_tokens=200)
    assert effective["instructions"] == "Be brief."
    assert effective["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert effective["max_output_tokens"] == 200
    assert session.settings == effective
    assert session.update(turn_detection=None)["audio"]["input"]["turn_detection"] is None


def test_a_refused_update_raises_and_changes_nothing(lab: Lab) -> None:
    session = lab.session("hi", instructions="Be brief.")
    session.connect()
    before = session.settings
    with pytest.raises((rtnb.ServerError, rtnb.ProtocolError)):
        session.update(instructions="Be long.", config={"audio": {"output": {"speed": 99}}})
    with pytest.raises(rtnb.ServerError) as caught:
        session.update(instructions="Be long.", config={"audio": {"output": {"voice": "nobody-of-that-name"}}})
    assert caught.value.code
    assert session.settings == before
    session.close()
    session.connect()
    assert session.settings["instructions"] == "Be brief."
    assert session.ask("x").text == "hi"


def test_a_refused_raw_update_is_not_kept_for_the_next_connection(lab: Lab) -> None:
    session = lab.session("hi", instructions="Be brief.")
    session.connect()
    errors = Heard()
    session.on("error", errors)
    wrong = {"type": "realtime", "instructions": "Be long.", "no_such_field": 1}
    session.send({"type": "session.update", "session": wrong}, check=False)
    errors.next()
    session.send({"type": "session.update", "session": {"type": "realtime", "max_output_tokens": 77}})
    session.wait("session.updated")
    session.close()
    session.connect()
    assert session.settings["instructions"] == "Be brief."
    assert session.settings["max_output_tokens"] == 77


def test_an_unknown_setting_or_value_is_told_at_once(lab: Lab) -> None:
    session = lab.session()
    session.connect()
    sent = len(session.events)
    for settings in (
        {"temperature": 0.5},
        {"output": "both"},
        {"turn_detection": "vad"},
        {"turn_detection": "none"},
        {"voice": 7},
        {"tools": [print]},
        {"max_output_tokens": -3},
    ):
        with pytest.raises(rtnb.ProtocolError):
            session.update(**settings)
    assert len(session.events) == sent
    with pytest.raises(rtnb.ProtocolError, match="there is no setting 'temperature'"):
        session.update(temperature=0.5)


def test_settings_before_the_first_connect_are_kept_for_it(lab: Lab) -> None:
    session = lab.session()
    assert session.update(instructions="Be brief.", speed=1.2) == {}
    assert session.state is SessionState.IDLE
    session.connect()
    assert session.settings["instructions"] == "Be brief."
    assert session.settings["audio"]["output"]["speed"] == 1.2


def test_a_configuration_that_the_server_refuses_fails_the_connect_in_its_words(lab: Lab) -> None:
    session = lab.session("hi", config={"no_such_field": 1})
    with pytest.raises((rtnb.ServerError, rtnb.ProtocolError), match="no_such_field"):
        session.connect()
    assert session.state is SessionState.FAILED
    assert "no_such_field" in repr(session)
    with pytest.raises((rtnb.ServerError, rtnb.ProtocolError), match="no_such_field"):
        _ = session.ask("x").text


# ---- items


def test_items_are_inserted_ordered_and_deleted(lab: Lab) -> None:
    session = lab.session()
    session.connect()
    second = session.insert("second")
    first = session.insert("first", after="root")
    third = session.insert("third", role="assistant", after=second)
    between = session.insert("between", role="system", after=first.id)
    assert [item.text for item in session.items] == ["first", "between", "second", "third"]
    assert [item.role for item in session.items] == ["user", "system", "user", "assistant"]
    session.delete(second)
    session.delete(between.id)
    assert [item.id for item in session.items] == [first.id, third.id]


def test_a_whole_item_is_inserted_as_it_stands(lab: Lab) -> None:
    session = lab.session()
    session.connect()
    call = {"type": "function_call", "name": "f", "call_id": "call_1", "arguments": "{}"}
    session.insert(call)
    item = session.insert({"type": "function_call_output", "call_id": "call_1", "output": "10", "id": "item_mine"})
    assert item.id == "item_mine"
    assert "id" not in call
    assert [each.type for each in session.items] == ["function_call", "function_call_output"]


def test_what_the_server_refuses_raises_at_the_call(lab: Lab) -> None:
    session = lab.session("hi")
    session.connect()
    with pytest.raises(rtnb.ServerError):
        session.delete("item_none")
    with pytest.raises(rtnb.ServerError):
        session.insert("x", after="item_none")
    with pytest.raises(rtnb.ServerError):
        session.truncate("item_none", 100)
    with pytest.raises(rtnb.ProtocolError, match="text"):
        session.insert(rtnb.Audio.from_bytes(spoken(200)), role="assistant")
    with pytest.raises(rtnb.ProtocolError):
        session.insert("x", role="wizard")
    assert session.items == []
    assert session.ask("y").text == "hi"


def test_a_truncation_is_clamped_to_what_there_is(lab: Lab) -> None:
    lab.serve("Hello there, how are you?")
    session = lab.session(output="audio")
    reply = session.ask("hello")
    assert reply.audio.seconds > 0.2
    [item] = reply.items
    length = item.audio_ms
    session.truncate(item, 10**9)
    assert session.items[-1].truncated_at_ms == int(length)
    session.truncate(item, 100)
    assert session.items[-1].truncated_at_ms == 100
    session.truncate(item, -5)
    assert session.items[-1].truncated_at_ms == 0


# ---- the audio buffer


def test_audio_is_appended_committed_and_answered(lab: Lab) -> None:
    session = lab.session("I heard you.")
    session.connect()
    session.append_audio(spoken(300))
    session.append_audio(rtnb.Audio.from_bytes(spoken(300)))
    item = session.commit()
    assert item.role == "user"
    assert session.items[-1].id == item.id
    assert session.respond().text == "I heard you."


def test_less_than_a_tenth_of_a_second_is_told_before_it_is_sent(lab: Lab) -> None:
    session = lab.session()
    session.connect()
    with pytest.raises(rtnb.ProtocolError, match="only 0 ms"):
        session.commit()
    session.append_audio(spoken(96))
    with pytest.raises(rtnb.ProtocolError, match=r"only 96 ms .* 100 ms"):
        session.commit()
    session.append_audio(spoken(8))
    assert session.commit().role == "user"
    with pytest.raises(rtnb.ProtocolError, match="only 0 ms"):
        session.commit()
    assert "error" not in session.events.names


def test_clearing_empties_the_buffer(lab: Lab) -> None:
    session = lab.session()
    session.connect()
    session.append_audio(spoken(500))
    session.clear_audio()
    with pytest.raises(rtnb.ProtocolError, match="only 0 ms"):
        session.commit()


def test_what_was_appended_before_a_reconnect_is_not_counted(lab: Lab) -> None:
    session = lab.session()
    session.connect()
    session.append_audio(spoken(500))
    session.close()
    session.connect()
    with pytest.raises(rtnb.ProtocolError, match="only 0 ms"):
        session.commit()


def test_half_a_sample_is_told(lab: Lab) -> None:
    session = lab.session()
    session.connect()
    with pytest.raises(rtnb.ProtocolError, match="16-bit"):
        session.append_audio(b"123")
    with pytest.raises(rtnb.ProtocolError, match=r"rtnb\.Audio"):
        session.append_audio("hello")


def test_recording_by_hand_commits_and_answers_on_leaving(lab: Lab) -> None:
    session = lab.session("I heard you.")
    with session.recording() as answers:
        session.append_audio(spoken(200))
    assert answers[0].text == "I heard you."


def test_a_spoken_question_is_asked(lab: Lab) -> None:
    session = lab.session("I heard you.")
    assert session.ask(rtnb.Audio.from_bytes(spoken(300))).text == "I heard you."
