/* What makes a page hard to read or to use, computed from the page as it stands: a list of sentences, empty when good. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const say = (e) => `<${e.tagName.toLowerCase()}${e.id ? ` id=${e.id}` : ""}${e.getAttribute("class") ? ` class=${e.getAttribute("class")}` : ""}> ${(e.textContent || "").trim().slice(0, 40)}`;
  const FIELDS = "input:not([type=hidden]), select, textarea";
  const TARGETS = `a[href], button, summary, ${FIELDS}, [tabindex="0"]`;

  /* -- contrast (WCAG 2.2, 1.4.3): text against what lies under it ------------------------------------------------- */
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  function rgba(colour) {
    if (!known.has(colour)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = "#000";
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  }
  const over = ([r, g, b, a], under) => [r, g, b].map((part, i) => part * a + under[i] * (1 - a));
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, two) => {
    const [low, high] = [light(one), light(two)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const opacity = (e) => { let made = 1; for (let at = e; at; at = at.parentElement) made *= getComputedStyle(at).opacity; return made; };
  function ground(e) {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    let made = rgba(getComputedStyle(document.documentElement).colorScheme === "dark" ? "#000" : "#fff").slice(0, 3);
    for (const colour of layers.reverse()) made = over(colour, made);
    return made;
  }
  const faded = (colour, ...shares) => { const [r, g, b, a] = rgba(colour); return [r, g, b, shares.reduce((x, y) => x * y, a)]; };

  /* What a chart has painted under the middle of a word: shapes that come before it and are filled there. */
  function painted(text) {
    const svg = text.ownerSVGElement, box = text.getBoundingClientRect();
    let made = ground(svg.parentElement);
    const point = new DOMPoint(box.left + box.width / 2, box.top + box.height / 2);
    for (const shape of all("path, rect, circle", svg)) {
      if (text.compareDocumentPosition(shape) & Node.DOCUMENT_POSITION_FOLLOWING) break;
      const room = shape.getBoundingClientRect(), style = getComputedStyle(shape);
      if (style.fill === "none" || room.left > point.x || room.right < point.x || room.top > point.y || room.bottom < point.y) continue;
      if (!shape.isPointInFill(point.matrixTransform(shape.getScreenCTM().inverse()))) continue;
      made = over(faded(style.fill, style.fillOpacity, opacity(shape)), made);
    }
    return made;
  }
  function contrast() {
    const found = [], done = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const e = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || done.has(e) || !seen(e) || e.closest("script, style, noscript, option, .unseen, .skip")) continue;
      done.add(e);
      const inside = e instanceof SVGElement, style = getComputedStyle(e);
      if (inside && (style.fill === "none" || e.closest("[aria-hidden] defs"))) continue;
      const under = inside ? painted(e) : ground(e);
      const ink = over(inside ? faded(style.fill, style.fillOpacity, opacity(e)) : faded(style.color, opacity(e)), under);
      const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
      const made = ratio(ink, under);
      if (made < (large ? 3 : 4.5)) found.push(`contrast ${made.toFixed(2)} of ${say(e)} (${ink.map(Math.round)} on ${under.map(Math.round)})`);
    }
    return found;
  }

  /* -- names, order, structure -------------------------------------------------------------------------------------- */
  const named = (e) => {
    const by = (e.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean).map((id) => document.getElementById(id)?.textContent ?? "");
    return (by.join(" ") || e.getAttribute("aria-label") || "").trim();
  };
  function structure() {
    const found = [], fail = (words) => found.push(words);
    if (!document.documentElement.lang) fail("no language is named");
    if (!document.title.trim()) fail("no title");
    if (all("h1").length !== 1) fail(`${all("h1").length} h1`);
    let last = 0;
    for (const e of all("h1, h2, h3, h4, h5, h6").filter(seen)) {
      const level = Number(e.tagName[1]);
      if (level > last + 1) fail(`h${level} after h${last}: ${say(e)}`);
      if (!e.textContent.trim()) fail(`an empty ${say(e)}`);
      last = level;
    }
    if (all("main").length !== 1) fail(`${all("main").length} main`);
    for (const e of all("nav")) if (!named(e)) fail("a nav without a name");
    for (const e of document.body.children) {
      if (!e.matches("header, main, footer, .skip, dialog, script, .tip[hidden], [hidden]") && seen(e)) fail(`outside of all landmarks: ${say(e)}`);
    }
    const ids = all("[id]").map((e) => e.id);
    for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) fail(`id twice: ${id}`);
    for (const name of ["aria-labelledby", "aria-describedby", "aria-errormessage", "for"]) {
      for (const e of all(`[${name}]`)) for (const id of e.getAttribute(name).split(/\s+/)) if (!document.getElementById(id)) fail(`${name} leads nowhere: ${say(e)}`);
    }
    for (const e of all("a[href^='#']")) if (!document.getElementById(decodeURIComponent(e.hash.slice(1)))) fail(`a link leads nowhere: ${e.hash}`);
    for (const e of all(FIELDS)) if (!named(e) && ![...e.labels].some((label) => label.textContent.trim())) fail(`a field without a label: ${say(e)} ${e.name}`);
    for (const e of all("fieldset")) if (!e.querySelector(":scope > legend")?.textContent.trim()) fail("a fieldset without a legend");
    for (const e of all("a[href], button, summary")) if (!named(e) && !e.textContent.trim()) fail(`nothing is said of ${e.outerHTML.slice(0, 80)}`);
    for (const e of all("img:not([alt]), [role=img]:not([aria-label]):not([aria-labelledby])")) fail(`a picture without words: ${say(e)}`);
    for (const e of all(".canvas")) if (!named(e)) fail(`a chart without a name: ${e.dataset.chart}`);
    for (const e of all("progress, dialog[open], [role=group], [role=region]")) if (!named(e)) fail(`nothing is said of ${say(e)}`);
    for (const e of all("body *").filter((e) => seen(e) && e.tabIndex < 0 && !(e instanceof SVGElement))) {
      const { overflowX, overflowY } = getComputedStyle(e), scrolls = (how) => how === "auto" || how === "scroll";
      const more = (scrolls(overflowX) && e.scrollWidth > e.clientWidth + 1) || (scrolls(overflowY) && e.scrollHeight > e.clientHeight + 1);
      if (more && !all(TARGETS, e).some(seen)) fail(`scrolls, and no key gets there: ${say(e)}`);
    }
    for (const e of all("[tabindex]")) if (e.tabIndex > 0) fail(`tabindex ${e.tabIndex}: ${say(e)}`);
    for (const e of all("table")) {
      if (!e.tHead || all("th:not([scope])", e).length || all("thead td", e).length) fail(`a table whose heads are not named: ${say(e)}`);
      if (all("tbody tr", e).some((row) => !row.querySelector("th[scope=row]"))) fail(`rows without a head: ${say(e)}`);
    }
    return found;
  }

  /* -- fingers (WCAG 2.2, 2.5.8): 24 pixels, or as much room around; links within a sentence are free ---------------- */
  function together(parts) {
    const boxes = parts.map((e) => e.getBoundingClientRect());
    const [left, top] = [Math.min(...boxes.map((b) => b.left)), Math.min(...boxes.map((b) => b.top))];
    const [right, bottom] = [Math.max(...boxes.map((b) => b.right)), Math.max(...boxes.map((b) => b.bottom))];
    return { left, top, right, bottom, width: right - left, height: bottom - top };
  }
  function targets() {
    scrollTo(0, 0); // what sticks to the top lies over nothing there
    const boxes = all(TARGETS).filter((e) => seen(e) && !e.closest(".skip") && !(e.matches("[tabindex]") && !e.matches("a, button, input"))).map((e) => {
      return { e, box: together([e, ...(e.matches("input[type=checkbox]") ? e.labels : [])]) };
    });
    const small = ({ box }) => box.width < 23.99 || box.height < 23.99;
    const middle = (box) => [box.left + box.width / 2, box.top + box.height / 2];
    const inline = ({ e }) => e.matches("a") && getComputedStyle(e).display === "inline"
      && [...e.parentElement.childNodes].some((n) => n !== e && n.nodeType === Node.TEXT_NODE && n.data.trim());
    return boxes.filter((one) => small(one) && !inline(one)).filter((one) => {
      const [x, y] = middle(one.box);
      return boxes.some((other) => {
        if (other === one || other.e.contains(one.e) || one.e.contains(other.e)) return false;
        const { left, right, top, bottom } = other.box;
        const away = Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
        const [u, v] = middle(other.box);
        return away < 12 || (small(other) && Math.hypot(x - u, y - v) < 24);
      });
    }).map(({ e, box }) => `small for a finger: ${box.width.toFixed(0)} x ${box.height.toFixed(0)}: ${say(e)}`);
  }
  function width() {
    const page = document.documentElement, most = page.clientWidth;
    return page.scrollWidth <= most ? [] : [`wider than the screen: ${page.scrollWidth} > ${most}`];
  }

  /* -- the keyboard: what Tab comes to, what it looks like there, and what it passes by ----------------------------- */
  const LOOK = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "textDecorationLine"];
  const look = (e) => { const style = getComputedStyle(e); return LOOK.map((name) => style[name]).join(); };
  function reachable() {
    return all(TARGETS).filter((e) => seen(e) && !e.disabled && e.tabIndex >= 0 && !e.closest("dialog:not([open])"));
  }
  let passed = [], focused = "", before = null;
  const faults = new Set();
  function watch() { [passed, focused, before] = [[], "", null]; faults.clear(); }
  /* Where Tab has come to: "end", "closed" (a fold), or ""; what was left may be seen there. */
  function arrived() {
    const e = document.activeElement;
    if (before && before !== e && before.isConnected && look(before) === focused) faults.add(`it cannot be seen that the keyboard is at ${say(before)}`);
    if (e === document.body || (passed.length > 1 && e === passed[0])) return "end";
    if (before === e) return ""; // the parts of a date
    before = e;
    passed.push(e);
    focused = look(e);
    const box = e.getBoundingClientRect(), x = box.left + Math.min(box.width, 40) / 2, y = box.top + Math.min(box.height, 40) / 2;
    if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) faults.add(`out of sight: ${say(e)}`);
    else if (y > 0 && y < innerHeight && x > 0 && x < innerWidth) {
      const top = document.elementFromPoint(x, y);
      if (top && !e.contains(top) && !top.contains(e) && !(e.labels && [...e.labels].some((label) => label.contains(top)))) faults.add(`hidden below ${say(top)}: ${say(e)}`);
    }
    return e.matches("summary") && !e.parentElement.open ? "closed" : "";
  }
  function wanting() {
    const missed = reachable().filter((e) => !passed.includes(e)).map((e) => `never reached: ${say(e)}`);
    const first = passed[0]?.matches(".skip, .plain *") ? [] : ["no way past the menu comes first"];
    const jumps = passed.filter((e, i) => i && !(passed[i - 1].compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING));
    return [...first, ...faults, ...missed, ...jumps.map((e) => `out of order: ${say(e)}`)];
  }
  window.access = { contrast, structure, targets, width, watch, arrived, wanting };
})();
