"""What each event of the protocol means, why it comes, and what to do with it.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["CLIENT", "OWN", "SERVER", "Told"]

Told: TypeAlias = tuple[str, str, str]
"""What it is, what causes it, what to do."""

CLIENT: Final[Mapping[str, Told]] = {
    "session.update": (
        "Changes the session: instructions, voice, turn detection, tools and so on.",
        "You, or rtnb: once after connecting, and with each `session.update(...)` and `session.tool`.",
        "What you leave out stays as it is; `session.updated` answers. One bad field refuses the whole update.",
    ),
    "input_audio_buffer.append": (
        "Adds a piece of sound to the server's input buffer.",
        "The microphone, or `session.append_audio(...)`.",
        "Nothing answers it. Send bare samples in the session's input format, in pieces of 20 to 100 ms.",
    ),
    "input_audio_buffer.commit": (
        "Makes the sound in the buffer a message of the user.",
        "You, when no turn detection is on: `session.commit()`, or letting go of Record.",
        "It begins no answer: ask for one with `session.respond()`. Less than 100 ms is refused.",
    ),
    "input_audio_buffer.clear": (
        "Throws away what is in the input buffer.",
        "`session.clear_audio()`, or a recording that was given up.",
        "`input_audio_buffer.cleared` answers, also when nothing was in it.",
    ),
    "conversation.item.create": (
        "Puts an item into the conversation: a message, a function call, or the output of one.",
        "`session.ask`, `session.insert`, or a tool that has its result.",
        "It begins no answer: `response.create` does. `conversation.item.added` and `.done` confirm it.",
    ),
    "conversation.item.retrieve": (
        "Asks for an item as the server has it, its sound included.",
        "You; useful to hear what of the user's speech the server kept.",
        "`conversation.item.retrieved` answers.",
    ),
    "conversation.item.truncate": (
        "Cuts the sound of an answer, so that the model knows how much of it was heard.",
        "rtnb, after an interruption, at the place the loudspeaker reached.",
        "The server forgets the transcript of that item; rtnb keeps the part that was heard.",
    ),
    "conversation.item.delete": (
        "Takes an item out of the conversation; the model forgets it.",
        "`session.delete(item)`.",
        "`conversation.item.deleted` answers. Deleting old sound makes later answers cheaper.",
    ),
    "response.create": (
        "Asks the model for an answer to the conversation as it stands.",
        "`session.ask`, `session.respond`, or the end of a round of tools.",
        "Wait for `response.done` before the next one: the conversation has one answer at a time.",
    ),
    "response.cancel": (
        "Stops the answer that is under way.",
        "An interruption, or `reply.cancel()`.",
        "`response.done` follows with status `cancelled`. When nothing was running, the error is harmless.",
    ),
    "output_audio_buffer.clear": (
        "Stops what the server plays.",
        "Clients over WebRTC or SIP only.",
        "Over a WebSocket it is refused: stop your own player, then cancel and truncate.",
    ),
}
"""Events that a client sends."""

_PIECE: Final = "Put the pieces together in their order; the `.done` event brings the whole."

SERVER: Final[Mapping[str, Told]] = {
    "session.created": (
        "The connection is open; `session` shows all settings in force.",
        "The first event of every connection.",
        "Send `session.update` with your settings; what is not set keeps these defaults.",
    ),
    "session.updated": (
        "The settings were changed; `session` shows all that are in force now.",
        "Each `session.update` that was taken.",
        "Compare with what you asked for: `session.configuration` does.",
    ),
    "error": (
        "The server refused an event, or had a fault. The session goes on.",
        "Mostly one bad client event: `error.event_id` names it, `error.param` the field.",
        "Look up `error.code`: `rtnb.explain(event)` does.",
    ),
    "conversation.created": (
        "The conversation has an id.",
        "Servers of the 2024 beta send it after `session.created`; today's service does not.",
        "Nothing.",
    ),
    "conversation.item.added": (
        "An item is in the conversation, perhaps still being made.",
        "An item you sent, committed speech, or the beginning of an answer.",
        "Its place is after `previous_item_id`; do not go by the time of arrival.",
    ),
    "conversation.item.done": (
        "An item is finished.",
        "It follows `conversation.item.added` when nothing of it will change any more.",
        "Read its `status`: `incomplete` for an answer that was cut short.",
    ),
    "conversation.item.created": (
        "An item is in the conversation: the old name of `conversation.item.added`.",
        "Servers that speak the 2024 beta.",
        "Treat it like `conversation.item.added` (and, where it is complete, `.done`).",
    ),
    "conversation.item.retrieved": (
        "An item as the server has it, with its sound.",
        "You asked with `conversation.item.retrieve`.",
        "Part names may be those of the beta (`audio`, `text`); read both.",
    ),
    "conversation.item.truncated": (
        "The sound of an answer was cut at `audio_end_ms`.",
        "`conversation.item.truncate`, after an interruption.",
        "The model knows no more of that answer than what was heard.",
    ),
    "conversation.item.deleted": (
        "An item was taken out of the conversation.",
        "`conversation.item.delete`.",
        "Nothing; it costs nothing any more either.",
    ),
    "conversation.item.input_audio_transcription.delta": (
        "A piece of what the user said, written down.",
        "A transcription model that writes while it listens.",
        _PIECE,
    ),
    "conversation.item.input_audio_transcription.segment": (
        "A stretch of the user's speech with its speaker and times.",
        "A transcription model that tells speakers apart (`gpt-4o-transcribe-diarize`).",
        "Match it by `item_id`.",
    ),
    "conversation.item.input_audio_transcription.completed": (
        "What the user said, written down, and what that used.",
        "Transcription is on (`session.audio.input.transcription`).",
        "It may come after the answer: match it by `item_id`. It is a guide; the model heard the sound itself.",
    ),
    "conversation.item.input_audio_transcription.failed": (
        "What the user said could not be written down.",
        "The transcription model had a fault; the answer does not depend on it.",
        "Read `error`; the sound is in the conversation all the same.",
    ),
    "input_audio_buffer.committed": (
        "The input buffer became a message of the user.",
        "`input_audio_buffer.commit`, or the speech detector heard the end of the turn.",
        "With turn detection the answer begins by itself; without, ask for it.",
    ),
    "input_audio_buffer.cleared": (
        "The input buffer is empty.",
        "`input_audio_buffer.clear`.",
        "Nothing.",
    ),
    "input_audio_buffer.speech_started": (
        "The user began to speak, as the speech detector hears it.",
        "Sound above the threshold: also an echo of the answer, or a cough.",
        "Stop playing: rtnb does. Too eager? Raise `threshold`, or use headphones.",
    ),
    "input_audio_buffer.speech_stopped": (
        "The user has stopped speaking.",
        "As much silence as `silence_duration_ms` says, or a finished sentence with `semantic_vad`.",
        "`input_audio_buffer.committed` follows. Cut off too early? Raise `silence_duration_ms`, or lower `eagerness`.",
    ),
    "input_audio_buffer.timeout_triggered": (
        "Nobody spoke for the idle time, and the model takes the word.",
        "`idle_timeout_ms` of the turn detection.",
        "An answer follows, which costs money; set `idle_timeout_ms` to null to prevent it.",
    ),
    "input_audio_buffer.dtmf_event_received": (
        "A telephone key was pressed.",
        "Calls over SIP only.",
        "Read `event`: the key.",
    ),
    "output_audio_buffer.started": (
        "The server began to play an answer.",
        "WebRTC and SIP only, where the server plays.",
        "Nothing; over a WebSocket you play yourself.",
    ),
    "output_audio_buffer.stopped": (
        "The server has played an answer to its end.",
        "WebRTC and SIP only.",
        "Nothing.",
    ),
    "output_audio_buffer.cleared": (
        "The server stopped playing an answer.",
        "WebRTC and SIP only: the user spoke, or `output_audio_buffer.clear`.",
        "Nothing: the server cuts the item by itself.",
    ),
    "response.created": (
        "An answer begins.",
        "`response.create`, or the end of the user's speech when turn detection answers by itself.",
        "Everything with this `response_id` belongs to it, until its `response.done`.",
    ),
    "response.done": (
        "An answer is over, whatever came of it.",
        "It was complete, cancelled, cut short, or failed.",
        "Read `status`, `status_details` and `usage`. Calls in `output` wait for their result and a `response.create`.",
    ),
    "response.output_item.added": (
        "The answer begins an item: a message or a function call.",
        "The model has decided what to do next.",
        "A call runs only when it is complete, after `response.done`.",
    ),
    "response.output_item.done": (
        "An item of the answer is finished.",
        "Also sent when the answer is cancelled: then `status` is `incomplete`.",
        "Run no call whose status is not `completed`.",
    ),
    "response.content_part.added": (
        "A message of the answer begins a part: text or sound.",
        "The model begins to write or to speak.",
        "Nothing; the pieces follow.",
    ),
    "response.content_part.done": (
        "A part of a message is finished.",
        "Also sent when the answer is cancelled.",
        "Nothing.",
    ),
    "response.output_text.delta": ("A piece of the written answer.", "The answer is in text.", _PIECE),
    "response.output_text.done": (
        "The written answer, whole.",
        "The part is finished, or was cut.",
        "`text` holds what the pieces brought.",
    ),
    "response.output_audio_transcript.delta": (
        "A piece of the words that are being spoken.",
        "The answer is in sound; its words run ahead of it.",
        _PIECE,
    ),
    "response.output_audio_transcript.done": (
        "All words of the spoken answer.",
        "The part is finished, or was cut.",
        "After an interruption these are more words than were heard.",
    ),
    "response.output_audio.delta": (
        "A piece of the spoken answer, base64 of sound.",
        "The answer is in sound; it comes faster than it plays.",
        "Queue it for the loudspeaker, and count what was really heard. rtnb does both.",
    ),
    "response.output_audio.done": (
        "The spoken answer has no more sound.",
        "The part is finished, or was cut.",
        "Let the loudspeaker finish: it is behind.",
    ),
    "response.function_call_arguments.delta": (
        "A piece of the arguments of a function call.",
        "The model calls a tool.",
        _PIECE,
    ),
    "response.function_call_arguments.done": (
        "The arguments of a function call, whole: a JSON text.",
        "The call is written. Also sent for calls that were cancelled.",
        "Run the tool after `response.done`, send its output as one string, then `response.create`.",
    ),
    "response.mcp_call_arguments.delta": (
        "A piece of the arguments of an MCP call.",
        "The server calls a tool.",
        _PIECE,
    ),
    "response.mcp_call_arguments.done": (
        "The arguments of an MCP call, whole.",
        "The call is written.",
        "Nothing: the server itself runs MCP tools.",
    ),
    "response.mcp_call.in_progress": (
        "An MCP tool is running.",
        "The model called it, and no approval is needed.",
        "Wait for `response.mcp_call.completed` or `.failed`.",
    ),
    "response.mcp_call.completed": ("An MCP tool has its result.", "It ran.", "The result is in the item."),
    "response.mcp_call.failed": (
        "An MCP tool failed.",
        "The tool, its server, or the way there; the item's `error` tells which.",
        "Check `server_url` and `authorization` of the tool.",
    ),
    "mcp_list_tools.in_progress": (
        "The server is asking an MCP server for its tools.",
        "An `mcp` tool was configured.",
        "Wait for `.completed` before you rely on them.",
    ),
    "mcp_list_tools.completed": (
        "The tools of an MCP server are known.",
        "It answered.",
        "They are in the `mcp_list_tools` item.",
    ),
    "mcp_list_tools.failed": (
        "An MCP server did not give its tools.",
        "A wrong address, missing authorization, or the server is down.",
        "Check `server_url` and `authorization`.",
    ),
    "rate_limits.updated": (
        "How much of the account's limits is left.",
        "Sent with a response, not with each one.",
        "Slow down when `remaining` gets small; `reset_seconds` tells when it is full again.",
    ),
}
"""Events that the server sends."""

OWN: Final[Mapping[str, Told]] = {
    "session.hint": (
        "Something worth knowing, in words.",
        "rtnb: a budget that is nearly spent, an echo, and the like.",
        'Listen with `session.on("session.hint", ...)`; without a listener it is a logged warning.',
    ),
    "session.state": (
        "The connection's state changed.",
        "`connect`, `close`, or a connection that was lost.",
        "`session.failure` and the error tell why.",
    ),
    "session.activity": ("What is being done changed.", "An answer or a tool began or ended.", "Nothing."),
    "realtime.event": (
        "Every event of both directions, with its time.",
        "A name of the 2024 reference client.",
        "`session.events` has them all.",
    ),
    "conversation.updated": (
        "Something of an item changed.",
        "A name of the 2024 reference client.",
        "`item` and `delta` tell what.",
    ),
    "conversation.interrupted": (
        "The user spoke, or stopped the answer.",
        "Speech, `session.interrupt()`, or Record.",
        "rtnb has silenced the loudspeaker already.",
    ),
    "conversation.item.appended": (
        "An item entered the conversation.",
        "A name of the 2024 reference client.",
        "Nothing.",
    ),
    "conversation.item.completed": ("An item is finished.", "A name of the 2024 reference client.", "Nothing."),
}
"""Names that `session.on` knows beside those of the wire."""
