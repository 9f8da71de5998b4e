// The search box: loads the index when it is first used, and looks for sections that hold every word.
"use strict";
(() => {
  const box = document.querySelector("[role=search]");
  const field = box.querySelector("input");
  const list = box.querySelector("ol");
  const told = box.querySelector("[role=status]");
  const home = box.dataset.home;
  let loading = false;
  box.hidden = false;

  const load = () => {
    if (loading) return;
    loading = true;
    const script = document.createElement("script");
    script.src = `${home}/search-index.js`;
    script.addEventListener("load", show);
    document.head.append(script);
  };

  const score = ([title, heading, , text], words) => {
    const places = [[title, 12], [heading, 8], [text, 1]].map(([place, worth]) => [place.toLowerCase(), worth]);
    let sum = 0;
    for (const word of words) {
      const best = Math.max(0, ...places.map(([place, worth]) => (place.includes(word) ? worth : 0)));
      if (best === 0) return 0;
      sum += best;
    }
    return sum + (text.toLowerCase().includes(words.join(" ")) ? 3 : 0);
  };

  const around = (text, word) => {
    const at = Math.max(0, text.toLowerCase().indexOf(word) - 40);
    return (at ? "… " : "") + text.slice(at, at + 120) + (text.length > at + 120 ? " …" : "");
  };

  const entry = ([title, heading, address, text], words) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `${home}/${address}`;
    const name = document.createElement("b");
    name.textContent = heading && heading !== title ? `${title}: ${heading}` : title;
    const more = document.createElement("span");
    more.textContent = around(text, words[0]);
    link.append(name, more);
    item.append(link);
    return item;
  };

  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    list.replaceChildren();
    told.textContent = "";
    if (!words.length || !window.SITE) return;
    const found = window.SITE.map((item) => [score(item, words), item]).filter(([worth]) => worth > 0);
    found.sort((a, b) => b[0] - a[0]);
    list.append(...found.slice(0, 12).map(([, item]) => entry(item, words)));
    told.textContent = found.length ? `${found.length} found` : `Nothing holds “${field.value}”.`;
  };

  const move = (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "Escape") {
      field.value = "";
      show();
      field.focus();
    } else if (event.key === "ArrowDown" && links.length) {
      event.preventDefault();
      links[Math.min(at + 1, links.length - 1)].focus();
    } else if (event.key === "ArrowUp" && at >= 0) {
      event.preventDefault();
      (at === 0 ? field : links[at - 1]).focus();
    } else if (event.key === "Enter" && document.activeElement === field && links.length) {
      event.preventDefault();
      links[0].click();
    }
  };

  field.addEventListener("focus", load);
  field.addEventListener("input", show);
  box.addEventListener("keydown", move);
  document.addEventListener("keydown", (event) => {
    const typing = document.activeElement.matches("input, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      field.focus();
    }
  });
})();
