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

  for (const form of document.querySelectorAll("form[data-check]")) {
    const place = form.querySelector(".checked");
    let waiting = 0, latest = 0;
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        const mine = ++latest;
        try {
          const nodes = await read(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
          if (mine === latest) { place.replaceChildren(...nodes); window.theodoliteCharts?.find(place); }
        } catch { place.replaceChildren(); }
      }, PAUSE);
    });
  }

  for (const output of document.querySelectorAll("output[for]")) {
    const input = document.getElementById(output.htmlFor.value);
    const show = () => { output.value = `${input.value} %`; };
    input.addEventListener("input", show);
    show();
  }

  /* Nothing is sent twice by an impatient second click; coming back to the page frees the button. */
  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => {
      if (form.ariaBusy === "true") event.preventDefault();
      form.ariaBusy = "true";
    });
  }
  window.addEventListener("pageshow", () => { for (const form of document.forms) form.ariaBusy = null; });

  const folds = [...document.querySelectorAll("details.fold")];
  window.addEventListener("beforeprint", () => {
    for (const fold of folds) fold.open = true;
    return window.theodoliteCharts?.drawAll();
  });
  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  follow(document);
})();
