"""The README and the files beside it keep what they say."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tomllib

from helpers_cli import environment, rtnb

import rtnb as package

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_ten_lines_of_code_run_and_give_what_they_say(tmp_path: pathlib.Path) -> None:
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "10" in done.stdout.splitlines()[0]
    assert "calculate_sum" in done.stdout
    assert "response.done" in done.stdout


def test_the_two_commands_stand_in_it_and_ci_runs_the_second() -> None:
    assert blocks("bash")[:2] == [
        "pip install uv && uv run rtnb lab\n",
        "pip install uv && uv run pytest --install-browser\n",
    ]
    assert "uv run pytest --install-browser" in (ROOT / ".ci" / "run").read_text()


def test_every_rtnb_command_and_option_in_it_is_one(tmp_path: pathlib.Path) -> None:
    commands = set(re.findall(r"\brtnb (lab|ask|serve|[a-z]+)\b(?= --|`| \"|$)", README, re.MULTILINE))
    assert {"lab", "ask", "serve"} <= commands
    helps = {name: rtnb(name, "--help", cwd=tmp_path) for name in commands}
    assert [name for name, done in helps.items() if done.returncode] == []
    told = "".join(done.stdout for done in helps.values())
    options = set(re.findall(r"(?<=[` ])--[a-z-]+", README)) - {"--install-browser"}
    assert {option for option in options if option not in told} == set()


def test_its_links_lead_to_files_that_are_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    links += re.findall(r"`(notebooks/[^`]+|constraints\.txt)`", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_extras_it_names_are_there() -> None:
    (extras,) = set(re.findall(r'"\.\[([a-z,]+)\]"', README))
    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_uv_and_pip_are_told_the_same_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert PROJECT["tool"]["uv"]["constraint-dependencies"] == pins
    assert len(pins) > 100
    assert all(re.match(r"[a-z0-9][a-z0-9.-]*==[^ ]+( ; .+)?$", pin) for pin in pins)


def test_every_dependency_has_a_tested_version() -> None:
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    wanted += [each for extra in project["optional-dependencies"].values() for each in extra]
    names = {re.split(r"[\[<>=!; ]", each)[0].lower().replace("_", "-") for each in wanted} - {"rtnb"}
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert names - pinned == set(), "run .ci/constraints"


def test_no_file_names_a_registry_or_carries_a_lock() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert "uv.lock" not in tracked
    hosts = re.compile("|".join(("pypi", "files.pythonhosted", "registry.npmjs")) + r"\." + "org")
    for name in ("pyproject.toml", "constraints.txt", ".ci/run", ".ci/constraints", "README.md", "CONTRIBUTING.md"):
        assert not hosts.search((ROOT / name).read_text()), name


def test_the_citation_has_the_version() -> None:
    assert f"\nversion: {package.__version__}\n" in (ROOT / "CITATION.cff").read_text()
