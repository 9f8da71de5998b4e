/* Small steps over pages that work without them: jobs that tell how far they are, forms checked while they are typed. */
(() => {
  "use strict";
  const EVERY = 1000, PAUSE = 350;

  async function read(url, options) {
    const answer = await fetch(url, { credentials: "same-origin", cache: "no-store", ...options });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return [...page.body.childNodes];
  }

  /* A job asks for itself again until it has ended; then the page is read again where it shows what has changed. */
  function follow(root) {
    for (const found of root.querySelectorAll("[data-poll]")) setTimeout(() => ask(found, 0), EVERY);
  }
  async function ask(found, failures) {
    if (!found.isConnected) return;
    try {
      const nodes = await read(found.dataset.poll);
      const holder = document.createElement("div");
      holder.append(...nodes);
      if (holder.querySelector("[data-reload]")) { window.location.reload(); return; }
      const fresh = [...holder.childNodes];
      found.replaceWith(...fresh);
      for (const node of fresh) if (node.nodeType === Node.ELEMENT_NODE) again(node);
    } catch {
      if (failures < 30) setTimeout(() => ask(found, failures + 1), EVERY * Math.min(8, failures + 1));
    }
  }
  function again(node) {
    if (node.matches("[data-poll]")) setTimeout(() => ask(node, 0), EVERY);
    follow(node);
    window.theodoliteCharts?.find(node);
  }

  /* What a check says of a field that was touched stands beside it; of the others it is only counted, below. */
  function besides(form, nodes, touched) {
    for (const old of form.querySelectorAll(".field .error")) old.remove();
    for (const old of form.querySelectorAll("[aria-invalid]")) {
      old.removeAttribute("aria-invalid");
      old.removeAttribute("aria-errormessage");
    }
    const rest = [];
    for (const node of nodes) {
      const name = node.dataset?.fault;
      if (!name) { rest.push(node); continue; }
      const field = touched.has(name) && form.querySelector(`.field[data-field="${CSS.escape(name)}"]`);
      if (!field) continue;
      const entry = field.querySelector("input, select, textarea");
      node.id = `${entry.id}-fault`;
      entry.setAttribute("aria-invalid", "true");
      entry.setAttribute("aria-errormessage", node.id);
      field.append(node);
    }
    return rest;
  }
  for (const form of document.querySelectorAll("form[data-check]")) {
    const place = form.querySelector(".checked"), touched = new Set();
    for (const field of form.querySelectorAll(".field .error")) touched.add(field.parentElement.dataset.field);
    let waiting = 0, latest = 0;
    form.addEventListener("input", (event) => {
      touched.add(event.target.name);
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        const mine = ++latest;
        try {
          const nodes = await read(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
          if (mine !== latest) return;
          place.replaceChildren(...besides(form, nodes, touched));
          window.theodoliteCharts?.find(place);
        } catch { place.replaceChildren(); }
      }, PAUSE);
    });
  }

  /* Sliders say their share and, where 100 % are money, the money; their form says what they come to together. */
  const SCALES = [[1e9, "bn"], [1e6, "m"], [1e3, "k"]];
  function short(value) {
    const [by, unit] = SCALES.find(([scale]) => Math.abs(value) >= scale * 0.9995) ?? [1, ""];
    const shown = Number((value / by).toPrecision(3)).toLocaleString("en", { useGrouping: false });
    return `${shown.replace("-", "\u2212")}${unit && `\u00a0${unit}`}`;
  }
  for (const form of document.forms) {
    const sliders = [...form.querySelectorAll("input[type=range]")], sum = form.querySelector(".sum");
    if (!sliders.length) continue;
    const show = () => {
      let now = 0, usual = 0;
      for (const input of sliders) {
        const money = Number(input.dataset.money ?? NaN), spent = money * input.value / 100;
        const output = form.querySelector(`output[for="${CSS.escape(input.id)}"]`);
        output.value = `${input.value} %${Number.isFinite(money) ? ` \u00b7 ${short(spent)}` : ""}`;
        now += spent;
        usual += money;
      }
      if (!sum || !Number.isFinite(now)) return;
      const change = Math.round(now - usual), sign = change > 0 ? "+" : "";
      sum.textContent = `In all ${sum.dataset.currency}\u00a0${short(now)}: ${change ? `${sign}${short(change)} against` : "as much as"} business as usual.`;
    };
    form.addEventListener("input", show);
    show();
  }

  /* What cannot be taken back is asked once more, in a dialog that the keyboard reaches and Escape leaves. */
  const dialog = document.querySelector("dialog");
  let asking = null;
  dialog?.addEventListener("close", () => {
    if (dialog.open) return; // it was opened again before this was told
    const form = asking;
    asking = null;
    if (form && dialog.returnValue === "yes") { form.dataset.sure = ""; form.requestSubmit(); }
  });

  /* Nothing is sent twice by an impatient second click; coming back to the page frees the button. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog") return;
    if (form.dataset.confirm && dialog && !("sure" in form.dataset)) {
      event.preventDefault();
      dialog.querySelector("p").textContent = form.dataset.confirm;
      dialog.returnValue = "";
      asking = form;
      dialog.showModal();
      return;
    }
    delete form.dataset.sure;
    if (form.ariaBusy === "true") event.preventDefault();
    form.ariaBusy = "true";
  });
  window.addEventListener("pageshow", () => { for (const form of document.forms) form.ariaBusy = null; });

  /* Light, dark, or as the system is; kept in this browser (theme.js reads it before anything is painted). */
  const themes = [...document.querySelectorAll("[data-choose-theme]")];
  function theme(chosen) {
    if (chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    for (const button of themes) button.setAttribute("aria-pressed", String(button.dataset.chooseTheme === chosen));
  }
  for (const button of themes) {
    button.addEventListener("click", () => {
      theme(button.dataset.chooseTheme);
      try { localStorage.setItem("theodolite-theme", button.dataset.chooseTheme); } catch { /* for this page only */ }
    });
  }
  if (themes.length) {
    themes[0].parentElement.hidden = false;
    theme(document.documentElement.dataset.theme ?? "system");
  }

  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details.fold")) fold.open = true;
    return window.theodoliteCharts?.drawAll();
  });
  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  follow(document);
})();
