// Light or dark, before anything is drawn: what was chosen here, else what the system says.
const CHOSEN = "counterpoint.theme";

function chosen() {
  try { return localStorage.getItem(CHOSEN); } catch { return null; }
}

function show(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}

show(chosen());
document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).getPropertyValue("--dark").trim() === "1";
    const theme = dark ? "light" : "dark";
    show(theme);
    try { localStorage.setItem(CHOSEN, theme); } catch { /* a browser that keeps nothing */ }
  });
});
