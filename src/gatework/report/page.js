// Tabs, sorting, copying and the place in the navigation. Everything here is an extra: the page reads without it.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  const select = (tab) => {
    for (const other of all("[role=tab]", tab.parentElement)) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", chosen);
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
  };

  const walk = (event, tabs) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    select(next);
    next.focus();
    event.preventDefault();
  };

  for (const list of all("[role=tablist]")) {
    const tabs = all("[role=tab]", list);
    select(tabs[0]);
    for (const tab of tabs) tab.addEventListener("click", () => select(tab));
    list.addEventListener("keydown", (event) => walk(event, tabs));
  }

  // Rows without a value stay at the end in both directions.
  const compare = (column, sign) => (a, b) => {
    const [x, y] = [a, b].map((row) => row.cells[column].dataset.value);
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    return sign * (Number(x) - Number(y));
  };

  const sort = (head) => {
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    body.append(...[...body.rows].sort(compare(head.cellIndex, rising ? 1 : -1)));
  };

  for (const button of all("table.sortable th button")) {
    button.addEventListener("click", () => sort(button.parentElement));
  }

  // A file opened from disk may have no clipboard; a selection can still be copied.
  const copy = async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  };

  for (const button of all("button.copy")) button.addEventListener("click", () => copy(button));

  const links = new Map(all("nav a").map((link) => [link.getAttribute("href").slice(1), link]));
  const mark = (entries) => {
    for (const entry of entries) {
      const link = links.get(entry.target.id);
      if (entry.isIntersecting) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  const watcher = new IntersectionObserver(mark, { rootMargin: "-30% 0px -65% 0px" });
  for (const id of links.keys()) watcher.observe(document.getElementById(id));
})();
