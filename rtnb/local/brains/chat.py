"""The chat brain: a real model behind any OpenAI-compatible ``/v1/chat/completions`` endpoint, by its URL.

Ollama, LM Studio, llama.cpp and vLLM all speak it. httpx is imported when the first answer is asked for. Every failure
becomes a `Failed` piece with a sentence; a key is in none of them.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from rtnb.core.errors import redact
from rtnb.local.brains.chat_wire import Lines, Reading, body, endpoint_of, error_of
from rtnb.local.seams import Failed, Piece, Request

if TYPE_CHECKING:
    import httpx

__all__ = ["ChatBrain"]

_SPOKEN: Final = "Your answer is read aloud: use plain, short sentences, without markup, lists or emojis."
_CODES: Final = {
    400: ("invalid_request_error", "invalid_request"),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "forbidden"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


class ChatBrain:
    """Asks a chat endpoint for each answer, and streams it; tools included.

    Parameters
    ----------
    url
        ``http://127.0.0.1:11434``, the same with ``/v1``, or the full address.
    model
        The model's name at that endpoint.
    api_key
        Sent as a bearer token; local servers need none.
    timeout
        Seconds to wait for the connection, and for each next piece of the answer.
    headers
        Further headers; what they hold is kept out of messages as the key is.
    options
        Further members of the request, such as ``{"temperature": 0.2}``.
    spoken
        A sentence that is added to the instructions when the answer will be spoken; ``""`` for none.

    Raises
    ------
    ValueError
        When `url` is no http or https address.

    Examples
    --------
    >>> ChatBrain("http://127.0.0.1:11434", "llama3.2")
    <ChatBrain llama3.2 at http://127.0.0.1:11434/v1/chat/completions>
    """

    name = "chat"

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout: float = 120.0,
        headers: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        spoken: str = _SPOKEN,
    ) -> None:
        self.url = endpoint_of(url)
        self.model = model
        self._key = api_key
        self._timeout = timeout
        self._headers = dict(headers or {})
        self._options = dict(options or {})
        self._spoken = spoken
        self._tls: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return self._safe(f"<ChatBrain {self.model} at {self._where}{urlsplit(self.url).path}>")

    async def think(self, request: Request) -> AsyncIterator[Piece]:
        """Stream the endpoint's answer; closing the iterator closes the connection."""
        import httpx

        wanted = body(request, self.model, spoken=self._spoken, options=self._options)
        reading = Reading()
        try:
            async with self._client() as client, aclosing(self._data(client, wanted)) as events:
                async for data in events:
                    if isinstance(data, Failed):
                        yield data
                        return
                    for piece in reading.push(data):
                        yield self._told(piece)
                        if isinstance(piece, Failed):
                            return
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            if not reading.finished:
                yield self._failed(*self._why(error))
                return
        if not reading.finished:
            yield self._failed("broken_stream", "broke off its answer in the middle.")
            return
        for piece in reading.end():
            yield self._told(piece)

    async def _data(self, client: httpx.AsyncClient, wanted: dict[str, Any]) -> AsyncGenerator[str | Failed, None]:
        """The data of each event of the stream, or the failure that the endpoint answered with."""
        async with client.stream("POST", self.url, json=wanted) as response:
            if response.status_code == 200:
                if "json" in response.headers.get("content-type", ""):
                    yield (await response.aread()).decode("utf-8", "replace")  # a server that does not stream
                    yield "[DONE]"
                    return
                lines = Lines()
                async for line in response.aiter_lines():
                    if (data := lines.push(line)) is not None:
                        yield data
                if (data := lines.end()) is not None:
                    yield data
                return
            text = (await response.aread()).decode("utf-8", "replace")
            status, reason = response.status_code, response.reason_phrase
        if status in {400, 422} and "stream_options" in text and "stream_options" in wanted:
            plainer = {key: value for key, value in wanted.items() if key != "stream_options"}
            async with aclosing(self._data(client, plainer)) as events:
                async for event in events:
                    yield event
            return
        yield self._refused(status, reason, text)

    def _client(self) -> httpx.AsyncClient:
        """A client for one answer: when it is closed, so is the connection."""
        import httpx

        parts = urlsplit(self.url)
        if self._tls is None and parts.scheme == "https":
            self._tls = ssl.create_default_context()
        near = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        headers = {"Accept": "text/event-stream", **self._headers}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        timeout = httpx.Timeout(self._timeout, connect=min(self._timeout, 10.0))
        return httpx.AsyncClient(verify=self._tls or False, timeout=timeout, headers=headers, trust_env=not near)

    @property
    def _where(self) -> str:
        """Scheme, host and port of the endpoint: no user, password or query."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"

    def _safe(self, text: str) -> str:
        return redact(text, self._key, *(value for value in self._headers.values() if len(value) > 6))

    def _told(self, piece: Piece) -> Piece:
        """A piece as it is; a failure with the endpoint's name before it and no key in it."""
        if not isinstance(piece, Failed):
            return piece
        return self._failed(str(piece.error["code"]), _sentence(str(piece.error["message"])))

    def _failed(self, code: str, what: str, *, kind: str = "server_error") -> Failed:
        message = self._safe(f"The chat endpoint at {self._where} {what}")
        return Failed({"type": kind, "code": self._safe(code), "message": message})

    def _refused(self, status: int, reason: str, text: str) -> Failed:
        try:
            answer: Any = json.loads(text)
        except ValueError:
            answer = "" if text.lstrip().startswith("<") else text.strip()
        code, message = error_of(answer, "no reason was given")
        kind, usual = _CODES.get(
            status, ("server_error" if status >= 500 else "invalid_request_error", f"http_{status}")
        )
        hint = {
            401: " Is the key right?",
            404: f" Is there a model named {self.model}, and is the URL right?",
        }.get(status, "")
        return self._failed(code or usual, f"answered {status} {reason}: {_sentence(message)}{hint}", kind=kind)

    def _why(self, error: Exception) -> tuple[str, str]:
        """Code and words for a failure on the way."""
        import httpx

        if isinstance(error, httpx.ConnectTimeout):
            return "connection_timeout", "could not be reached in time. Is the address right?"
        if isinstance(error, httpx.TimeoutException):
            return "timeout", f"sent nothing for {self._timeout:g} s."
        if isinstance(error, httpx.ConnectError):
            return (
                "connection_failed",
                f"could not be reached: {_sentence(str(error) or 'no connection')} Is it running there?",
            )
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.StreamError):
            return "broken_stream", "broke off its answer in the middle."
        return "connection_failed", f"could not be asked: {_sentence(str(error) or type(error).__name__)}"


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
