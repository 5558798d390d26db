"""`rtnb scrub`: a key that looks like nothing is known by the name before it, and what only looks like one stays."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import nbformat
import pytest

from rtnb.cli import main
from rtnb.core.errors import redact
from rtnb.core.keys import without_keys
from rtnb.core.scrubbing import scrubbed_file

HEX = "0123456789abcdef" * 2
LONG = "9XyZ" * 21
SPELT = str(uuid.UUID(HEX))
URL_SAFE = "aB3-dE4_" * 4

NAMED = {
    "an environment": f'os.environ["AZURE_OPENAI_API_KEY"] = "{HEX}"',
    "an environment in single quotes": f"os.environ['AZURE_OPENAI_KEY']='{LONG}'",
    "a default": f'os.environ.setdefault("AZURE_OPENAI_API_KEY", "{LONG}")',
    "putenv": f'os.putenv("OPENAI_API_KEY", "{HEX}")',
    "a settings file by hand": f'set_key(".env", "HF_TOKEN", "{URL_SAFE}")',
    "a magic": f"%env AZURE_OPENAI_KEY {HEX}",
    "a magic with a sign": f"%env AZURE_OPENAI_API_KEY={HEX}",
    "a launcher": f'"env": {{"SPEECH_KEY": "{HEX}"}}',
    "a session": f'rtnb.Session("azure", key="{HEX}")',
    "a session with a UUID": f'rtnb.Session("azure", key="{SPELT}")',
    "an endpoint": f"rtnb.endpoint('https://me.openai.azure.com', key='{LONG}')",
    "a server": f'rtnb.LocalEndpoint(key = "{HEX}")',
    "a variable": f'azure_key = "{HEX}"',
    "a constant": f'KEY = "{URL_SAFE}"',
    "wide signs": f"API_KEY  =  {HEX}",
    "one token": f'Relay("local", tokens=["{HEX}"])',
    "a command": f"!rtnb serve --key {HEX}",
    "a command with a sign": f"rtnb replay talk --key={LONG}",
    "a command in a list": f'["rtnb", "serve", "--key", "{HEX}"]',
    "a shell": f"export RTNB_RELAY_SECRET={LONG}",
    "a header": f"Ocp-Apim-Subscription-Key: {HEX}",
    "a header in Python": f'{{"Ocp-Apim-Subscription-Key": "{HEX}"}}',
}
SECRETS = (HEX, LONG, SPELT, URL_SAFE)


@pytest.mark.parametrize("name", NAMED)
def test_a_key_without_a_shape_is_known_by_its_name(name: str) -> None:
    text = NAMED[name]
    cleaned = text
    for secret in SECRETS:
        cleaned = cleaned.replace(secret, "[key]")
    assert scrubbed_file(text.encode()).data == cleaned.encode()
    assert scrubbed_file(cleaned.encode()).findings == ()


@pytest.mark.parametrize("name", NAMED)
def test_it_is_taken_out_of_the_source_of_a_cell(tmp_path: Path, name: str) -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"import os\n{NAMED[name]}\n")])
    path = tmp_path / "lesson.ipynb"
    nbformat.write(book, path)
    before = json.loads(path.read_text())
    assert main(["scrub", str(path)]) == 1
    assert not any(secret in path.read_text() for secret in SECRETS)
    after = json.loads(path.read_text())
    nbformat.validate(nbformat.from_dict(after))
    assert [cell["id"] for cell in after["cells"]] == [cell["id"] for cell in before["cells"]]
    assert main(["scrub", "--check", str(path)]) == 0


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (f'export RTNB_RELAY_TOKENS="{HEX} {LONG}"', 'export RTNB_RELAY_TOKENS="[key] [key]"'),
        (f'os.environ["RTNB_RELAY_TOKENS"] = "{HEX} {LONG}"', 'os.environ["RTNB_RELAY_TOKENS"] = "[key] [key]"'),
        (f"Relay(tokens=['{HEX}', '{URL_SAFE}'])", "Relay(tokens=['[key]', '[key]'])"),
        (f'{{"tokens": ["{HEX}", "Hello", "{LONG}"]}}', '{"tokens": ["[key]", "Hello", "[key]"]}'),
    ],
)
def test_each_of_several_is_taken_out(text: str, cleaned: str) -> None:
    found = scrubbed_file(text.encode())
    assert found.data == cleaned.encode()
    assert len(found.findings) == 2
    coded = scrubbed_file(json.dumps({"source": [text]}).encode())
    assert coded.data == json.dumps({"source": [cleaned]}).encode()


INNOCENT = [
    'session = rtnb.Session(voice="alloy", key="alloy")',
    'prices = table.get(key="gpt-4o-mini-realtime-preview-2024-12-17")',
    'model_key = "Meta-Llama-3.1-8B-Instruct"',
    'rows.sort(key="input_audio_tokens_of_2026")',
    f'{{"{HEX}": 1, "key": "{HEX}", "hash": "{HEX}", "sha256": "{LONG}"}}',
    f'{{"cells": [{{"cell_type": "code", "id": "{HEX[:8]}", "metadata": {{}}}}]}}',
    f'hash = "sha256:{HEX}"',
    f'wheels = [{{ url = "https://files.example.org/{HEX}/keyring-25.6.0.whl", hash = "sha256:{HEX}" }}]',
    f"name: token, checksum {HEX}",
    f'<tr data-key="{HEX}">',
    'names = ["api_key", "azure_endpoint_of_2026", "token", "tokenizer_of_gpt2_base"]',
    'os.environ.get("OPENAI_API_KEY", "none-is-needed-here-1")',
    'os.environ["OPENAI_API_KEY"] = "your-own-key-of-32-signs"',
    "The key, 16 signs or more, is told by its name; a token = what opens a door.",
    "OPENAI_API_KEY is read first, then AZURE_OPENAI_API_KEY, then RTNB_RELAY_TOKENS.",
    "openssl req --key server-2048-bits-private.pem",
    'key_header: Literal["Authorization", "api-key"] = "Authorization"',
    'proxy = f"http://me:{password}@127.0.0.1:8080"',
    "export https_proxy=http://me:${PASSWORD}@proxy.example.org",
    "rtnb relay --tokens FILE --key KEY",
    "headers = {'Ocp-Apim-Subscription-Key': os.environ['SPEECH_KEY']}",
    "AZURE_OPENAI_KEY = keyring.get_password16('azure', 'me')",
    '"total_tokens": 1234567890123456, "output_tokens": 12',
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_key_is_left_alone(text: str) -> None:
    assert scrubbed_file(text.encode()).data == text.encode()
    coded = json.dumps({"source": [text]}).encode()
    assert scrubbed_file(coded).data == coded


@pytest.mark.parametrize(
    "text", ["Give your users bearer tokens.", 'no "bearer tokens" here', "Bearer tokens, see below"]
)
def test_prose_about_bearer_tokens_is_shown_as_it_is(text: str) -> None:
    assert redact(text) == text
    assert without_keys(text) == text


@pytest.mark.parametrize("token", ["hunter", HEX, LONG, "quite-an-ordinary-word"])
def test_a_bearer_token_in_a_header_is_not_shown(token: str) -> None:
    assert redact(f"Authorization: Bearer {token}") == "Authorization: Bearer [key]"
    assert redact(f"{{'authorization': 'bearer {token}'}}") == "{'authorization': 'bearer [key]'}"


@pytest.mark.parametrize("token", [HEX, LONG, "x" * 24, "quite-an-ordinary-word"])
def test_a_bearer_token_without_its_header_is_not_shown(token: str) -> None:
    assert redact(f"sent Bearer {token}, refused") == "sent Bearer [key], refused"
