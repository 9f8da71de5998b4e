/* The theme that was chosen in this browser, set before anything is painted. */
(() => {
  "use strict";
  try {
    const chosen = localStorage.getItem("theodolite-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* storage is closed: as the system is */ }
})();
