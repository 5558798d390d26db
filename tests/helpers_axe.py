"""axe-core in a page: which rules of accessibility the shown widgets break.

The script comes with the package axe-playwright-python; nothing is fetched. It looks at the given parts only: what
JupyterLab itself does is JupyterLab's.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_RUN = """async ([selectors, off]) => {
  const include = selectors.flatMap((each) => [...document.querySelectorAll(each)]);
  if (!include.length) throw new Error(`nothing in the page fits ${selectors.join(', ')}`);
  const rules = Object.fromEntries(off.map((id) => [id, { enabled: false }]));
  const found = await axe.run({ include }, { rules, resultTypes: ['violations'] });
  return found.violations.map(({ id, impact, help, nodes }) => ({
    id, impact, help,
    nodes: nodes.map(({ html, target, failureSummary }) => ({ html, target: target.join(' '), failureSummary })),
  }));
}"""

_PAGE_RULES = ("region", "page-has-heading-one", "landmark-one-main", "bypass", "document-title", "html-has-lang")
"""What a whole page must have, which a part of one cannot."""


@dataclass(frozen=True)
class Breach:
    """One rule that is broken, and where."""

    rule: str
    impact: str
    help: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rule} ({self.impact}): {self.help}\n    " + "\n    ".join(self.places)


def axe_source() -> str:
    """The text of axe-core."""
    return (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def breaches(page: Any, *selectors: str, off: Iterable[str] = ()) -> list[Breach]:
    """Run axe-core on the parts of a Playwright page that fit the CSS selectors.

    Parameters
    ----------
    page
        A page (or frame) of Playwright's sync API.
    selectors
        CSS selectors; at least one element must fit.
    off
        Ids of rules that are not asked for.
    """
    if not page.evaluate("typeof window.axe === 'object'"):
        # JupyterLab has an AMD loader in some builds; axe must become a global, not a module of it.
        page.evaluate(
            f"(() => {{ const define = undefined, module = undefined, exports = undefined;\n{axe_source()}\n}})()"
        )
    told = page.evaluate(_RUN, [list(selectors), [*_PAGE_RULES, *off]])
    return [
        Breach(
            each["id"],
            str(each["impact"]),
            each["help"],
            tuple(f"{n['target']}  {n['html'][:160]}  {' '.join(n['failureSummary'].split())}" for n in each["nodes"]),
        )
        for each in told
    ]


def assert_accessible(page: Any, *selectors: str, off: Iterable[str] = ()) -> None:
    """Fail with all breaches in words, if there are any."""
    found = breaches(page, *selectors, off=off)
    assert not found, "\n".join(map(str, found))
