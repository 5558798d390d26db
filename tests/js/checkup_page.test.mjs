// What the check-up says of the page: pure parts.
import assert from "node:assert/strict";
import test from "node:test";
import { browserName } from "../../rtnb/notebook/checkup_page.js";

test("browsers by their names", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36";
  assert.equal(browserName(chrome), "Chrome 156");
  assert.equal(browserName(chrome + " Edg/156.0"), "Edge 156");
  assert.equal(browserName("Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0"), "Firefox 153");
  assert.equal(browserName("Mozilla/5.0 (Macintosh) AppleWebKit/605.1 Version/26.0 Safari/605.1"), "Safari 26");
  assert.equal(browserName("curl/8"), "");
});
