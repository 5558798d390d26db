// @ts-check
/**
 * Keys pressed inside `root` are its own and no commands of the notebook, where D D deletes a cell.
 *
 * JupyterLab's commands match the element in focus (`:focus:not(:read-write)`) and look at the attribute there before they
 * look at its parents, so the root alone cannot speak for it.
 * @param {HTMLElement} root
 */
export function ownKeys(root) {
  root.addEventListener("focusin", ({ target }) => {
    if (target instanceof Element) target.setAttribute("data-lm-suppress-shortcuts", "true");
  });
}
