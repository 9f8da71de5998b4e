/* Draws the charts of a page: those near the screen first, the rest when idle; those in `root` where content came later. */
(() => {
  "use strict";
  const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  const CATEGORY = ["#2f74b5", "#cf6239", "#3a9480", "#ab8420", "#a06bb0", "#4a9cc2", "#b5496b", "#6f8f3a",
    "#7a6fd0", "#9c6b4e", "#5f8a99", "#bf7fa5"];
  const NARROW = 560;
  const INK = "var(--ink)", MUTED = "var(--muted)", LINE = "var(--line)";

  /* CSS variables as colours: a chart follows the page from light to dark and onto paper without being drawn again. */
  const CONFIG = {
    font: FONT,
    background: "transparent",
    padding: 2,
    view: { stroke: null },
    range: { category: CATEGORY },
    mark: { color: CATEGORY[0] },
    rule: { color: MUTED },
    tick: { color: INK },
    text: { color: INK, fontSize: 12 },
    point: { color: INK, fill: INK },
    axis: {
      labelColor: MUTED, titleColor: MUTED, gridColor: LINE, domainColor: LINE, tickColor: LINE,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 8,
    },
    axisX: { grid: false, labelSeparation: 6 },
    axisTemporal: { labelFlush: true },
    legend: { labelColor: INK, titleColor: MUTED, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    header: { labelColor: INK, titleColor: MUTED, labelFontSize: 13, labelFontWeight: 600, labelAnchor: "start", labelLimit: 230 },
    title: { color: INK, subtitleColor: MUTED, fontSize: 13, anchor: "start" },
  };

  function configFor(width) {
    const narrow = width < NARROW;
    const labelLimit = narrow ? 120 : 170;
    return { ...CONFIG, axis: { ...CONFIG.axis, labelLimit }, legend: { ...CONFIG.legend, labelLimit, columns: narrow ? 2 : 4 } };
  }

  /* A tooltip of text nodes only. */
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  function showTip(_handler, event, _item, value) {
    tip.replaceChildren();
    tip.hidden = value === null || value === undefined || value === "";
    if (tip.hidden) return;
    const rows = typeof value === "object" ? Object.entries(value) : [["", value]];
    for (const [key, item] of rows) {
      const row = document.createElement("div");
      const label = document.createElement("span");
      const text = document.createElement("bdi");
      label.textContent = key;
      text.textContent = String(item);
      row.append(label, text);
      tip.append(row);
    }
    const x = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    const y = Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8);
    tip.style.left = `${Math.max(8, x)}px`;
    tip.style.top = `${Math.max(8, y)}px`;
  }

  /* Small multiples have a fixed width in Vega-Lite: give them as many columns as there is room for. */
  const GAP = 20, SMALLEST = 190;
  function fitted(spec, width) {
    if (!spec.facet || !spec.spec) return spec;
    const parts = [spec.spec, ...(spec.spec.layer ?? [])];
    const named = parts.some((part) => ["nominal", "ordinal"].includes(part.encoding?.y?.type));
    const labels = named ? 140 : 64;
    const columns = Math.max(1, Math.min(spec.columns ?? 3, Math.floor((width + GAP) / (SMALLEST + labels + GAP))));
    const room = (width - GAP * (columns - 1)) / columns - labels;
    return { ...spec, columns, spec: { ...spec.spec, width: Math.max(120, Math.floor(room)) } };
  }

  /* Neither a legend of several columns nor the long title of an axis fits a telephone. */
  const LONG_LABEL = 14, LONG_TITLE = 40;
  function narrowed(value) {
    if (Array.isArray(value)) return value.map(narrowed);
    if (value === null || typeof value !== "object") return value;
    const copy = {};
    for (const [key, item] of Object.entries(value)) {
      if (key === "datasets" || key === "data") copy[key] = item;
      else if (key === "title" && typeof item === "string" && item.length > LONG_TITLE) copy[key] = halves(item);
      else copy[key] = narrowed(item);
    }
    const labels = Array.isArray(value.scale?.domain) ? value.scale.domain.map(String) : [];
    const most = labels.some((label) => label.length > LONG_LABEL) ? 1 : 2;
    if (value.legend !== null && (value.legend?.columns > most || (labels.length > 1 && most === 1))) {
      copy.legend = { ...copy.legend, columns: most, ...(most === 1 ? { labelLimit: 230 } : {}) };
    }
    return copy;
  }
  function halves(text) {
    const spaces = [...text.matchAll(/ /g)].map((found) => found.index);
    const middle = spaces.sort((a, b) => Math.abs(a - text.length / 2) - Math.abs(b - text.length / 2))[0];
    return middle === undefined ? text : [text.slice(0, middle), text.slice(middle + 1)];
  }

  /* A chart that cannot be read below some width is drawn as wide as that, and scrolled. */
  function roomFor(canvas) {
    const least = Number(canvas.dataset.least ?? 0);
    if (canvas.clientWidth >= least) return canvas;
    const room = document.createElement("div");
    room.className = "least";
    room.style.width = `${least}px`;
    canvas.append(room);
    canvas.tabIndex = 0; // the keyboard scrolls it, too
    return room;
  }

  const waiting = new Map();
  function draw(canvas) {
    if (waiting.has(canvas)) return waiting.get(canvas);
    const whole = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const room = roomFor(canvas), width = room.clientWidth;
    const spec = width < NARROW ? narrowed(whole) : whole;
    const done = window.theodoliteEmbed(room, fitted(spec, width), {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, logLevel: 1, config: configFor(width), tooltip: showTip,
    }).then(() => canvas.classList.add("drawn"), (error) => {
      canvas.textContent = "This chart could not be drawn; its numbers can be downloaded below.";
      console.error(error);
    });
    waiting.set(canvas, done);
    return done;
  }

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
  }, { rootMargin: "300px" });
  function find(root) {
    const canvases = [...root.querySelectorAll("[data-chart]")];
    for (const canvas of canvases) {
      canvas.style.minHeight = `${canvas.dataset.height}px`;
      near.observe(canvas);
    }
    function drawNext() {
      const next = canvases.find((canvas) => !waiting.has(canvas) && canvas.clientWidth > 0);
      if (next) draw(next).then(() => setTimeout(drawNext, 10));
    }
    setTimeout(drawNext, 10);
  }
  find(document);

  window.theodoliteCharts = { find, drawAll: () => Promise.all([...document.querySelectorAll("[data-chart]")].map(draw)) };
})();
