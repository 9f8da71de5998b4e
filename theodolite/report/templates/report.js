/* Opens and draws everything before it is printed, and marks the current section. */
(() => {
  "use strict";
  /* What is folded away has no width: draw it when it opens. Everything is opened and drawn before it is printed. */
  const folds = [...document.querySelectorAll("details.fold")];
  function openAll() {
    for (const fold of folds) fold.open = true;
    return window.theodoliteCharts.drawAll();
  }
  window.addEventListener("beforeprint", openAll);
  const print = document.querySelector("button.print");
  print.hidden = false;
  print.addEventListener("click", () => openAll().then(() => window.print()));

  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const current = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const [id, link] of links) {
        if (id === entry.target.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  for (const id of links.keys()) current.observe(document.getElementById(id));
})();
