// Opens the palette by keyboard and walks its results by arrows. Without it the buttons do the same.
(() => {
  const palette = document.querySelector("#palette");
  const typed = palette.querySelector("input");
  const results = () => [...palette.querySelectorAll("[data-found]")];
  const isMac = /Mac|iP(hone|ad)/.test(navigator.platform);
  if (isMac) for (const key of document.querySelectorAll(".seek kbd")) key.textContent = "⌘ K";

  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(isMac ? event.metaKey : event.ctrlKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    palette.togglePopover();
  });
  // What was typed the last time is selected, to be typed over; but not what is typed already: that it is
  // open is told a moment after it is, and somebody quick would type over their own first letters.
  let before = "";
  palette.addEventListener("beforetoggle", () => { before = typed.value; });
  palette.addEventListener("toggle", (event) => {
    if (event.newState === "open" && typed.value === before) typed.select();
  });
  palette.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const stops = [typed, ...results()];
    const at = stops.indexOf(document.activeElement);
    stops[(at + step + stops.length) % stops.length].focus();
  });
  palette.querySelector("form").addEventListener("submit", (event) => {
    const [first] = results();
    if (!first || palette.querySelector(".htmx-request")) return;
    event.preventDefault();
    first.click();
  });
})();
