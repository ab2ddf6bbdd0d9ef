// Shows why a control is shut beside the page instead of in its place.
(() => {
  const shut = document.querySelector("#shut");
  let from = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target === shut) from = event.detail.elt;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== shut) return;
    shut.showPopover();
    shut.querySelector("a")?.focus();
  });
  shut.addEventListener("toggle", (event) => { if (event.newState === "closed") from?.focus(); });
})();
