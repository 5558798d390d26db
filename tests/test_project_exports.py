"""The public face: what is listed is there, and what is there is listed and described."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types

import pytest

import rtnb

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(rtnb.__path__, "rtnb.")
    if not info.name.endswith(("__main__", "_child"))  # programs, started in processes of their own
)


def test_the_list_of_public_names_is_sorted_and_each_is_there() -> None:
    assert rtnb.__all__ == sorted(set(rtnb.__all__))
    assert [name for name in rtnb.__all__ if getattr(rtnb, name, None) is None] == []
    assert len(rtnb.__all__) < 40, "the public names fit on a screen"


def test_nothing_public_is_there_that_is_not_listed() -> None:
    for name in rtnb.__all__:
        getattr(rtnb, name)
    found = {
        name
        for name, value in vars(rtnb).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and not _is_future(value)
    } - {"TYPE_CHECKING", "Any"}
    assert found == set(rtnb.__all__)
    assert set(dir(rtnb)) == {*rtnb.__all__, "__version__"}


def _is_future(value: object) -> bool:
    return type(value).__module__ == "__future__"


def test_the_checker_of_types_sees_the_same_names() -> None:
    source = inspect.getsource(rtnb).partition("if TYPE_CHECKING:")[2].partition("\n\n")[0]
    assert {line.rpartition(" as ")[2].strip() for line in source.splitlines() if line.strip()} == set(rtnb.__all__)


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        rtnb.nothing_of_that_name  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_a_module_lists_what_it_offers_and_describes_it(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    own = {
        each
        for each, value in vars(module).items()
        if not each.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
    }
    if not own and not hasattr(module, "__all__"):
        return  # a package that only says what lives in it
    assert hasattr(module, "__all__"), f"{name} has no __all__"
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{public} has no docstring"


@pytest.mark.parametrize("name", rtnb.__all__)
def test_every_public_name_and_method_says_what_it_is(name: str) -> None:
    value = getattr(rtnb, name)
    assert inspect.getdoc(value), f"rtnb.{name} has no docstring"
    if inspect.isclass(value):
        for member, thing in vars(value).items():
            if not member.startswith("_") and (callable(thing) or isinstance(thing, property | classmethod)):
                assert inspect.getdoc(thing), f"rtnb.{name}.{member} has no docstring"
