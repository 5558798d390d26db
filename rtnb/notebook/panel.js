// @ts-check
/** The panel's controls: a `Page` for each model, a view for each place where it is shown. */

import { Page } from "./panel_page.js";
import { view } from "./panel_view.js";

export default () => {
  /** @type {Page} */
  let page;
  return {
    initialize(/** @type {{model: any, signal: AbortSignal}} */ { model, signal }) {
      page = new Page(model, signal ?? new AbortController().signal);
      return () => page.close();
    },
    render(/** @type {{el: HTMLElement}} */ { el }) {
      return view({ page, el });
    },
  };
};
