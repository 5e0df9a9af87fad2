// Searches, filters and opens the facts of the page; without it everything is there, only longer.
const box = document.querySelector("input[type=search]");
const told = document.querySelector("output");
const cards = [...document.querySelectorAll("details")];
const chips = [...document.querySelectorAll(".chips button")];
const sections = [...document.querySelectorAll("section")];
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const texts = new Map(cards.map((card) => [card, card.textContent.toLowerCase()]));

const words = () => box.value.toLowerCase().split(/\s+/).filter(Boolean);
const visible = () => cards.filter((card) => !card.hidden);

function filter() {
  const wanted = words();
  const audiences = chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.value);
  for (const card of cards) {
    const fits = wanted.every((word) => texts.get(card).includes(word));
    card.hidden = !fits || (audiences.length > 0 && !audiences.includes(card.dataset.audience));
    const link = links.get(card.id);
    if (link) link.hidden = card.hidden;
  }
  for (const section of sections) section.hidden = !section.querySelector("details:not([hidden])");
  for (const group of document.querySelectorAll("nav div")) group.hidden = !group.querySelector("a:not([hidden])");
  const count = visible().length;
  told.textContent = `${count} of ${cards.length}`;
  document.querySelector(".none").hidden = count > 0;
}

function show(id) {
  const card = id && document.getElementById(id);
  if (!card || card.tagName !== "DETAILS") return;
  if (card.hidden) {
    box.value = "";
    for (const chip of chips) chip.ariaPressed = "false";
    filter();
  }
  card.open = true;
  card.scrollIntoView();
  card.querySelector("summary").focus({ preventScroll: true });
}

function step(by) {
  const all = visible();
  const now = all.findIndex((card) => card.contains(document.activeElement));
  const next = all[Math.min(all.length - 1, Math.max(0, now + by))];
  if (next) {
    const summary = next.querySelector("summary");
    summary.focus({ preventScroll: true });
    summary.scrollIntoView({ block: "nearest" });
  }
}

box.addEventListener("input", filter);
for (const chip of chips) {
  chip.addEventListener("click", () => {
    chip.ariaPressed = String(chip.ariaPressed !== "true");
    filter();
  });
}
addEventListener("hashchange", () => show(decodeURIComponent(location.hash.slice(1))));
addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) show(link.hash.slice(1));
});
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === box;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    box.select();
  } else if (event.key === "Escape") {
    box.value = "";
    filter();
    box.focus();
  } else if (event.key === "ArrowDown" || (event.key === "j" && !typing)) {
    event.preventDefault();
    step(1);
  } else if (event.key === "ArrowUp" || (event.key === "k" && !typing)) {
    event.preventDefault();
    step(-1);
  } else if (event.key === "Enter" && typing) {
    const all = visible();
    const first = all.find((card) => words().some((word) => card.id.toLowerCase().includes(word))) ?? all[0];
    if (first) location.hash = first.id;
  }
});
filter();
show(decodeURIComponent(location.hash.slice(1)));
