// Puts a field or a list on the clipboard, or on paper. Where a browser lets no page do so there is no button,
// and what is to be kept can be selected all the same.
(() => {
  for (const button of document.querySelectorAll("[data-copies]")) {
    if (!navigator.clipboard) break;
    const from = document.getElementById(button.dataset.copies), told = button.parentElement.querySelector("[role=status]");
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = from.value ?? [...from.children].map((one) => one.textContent).join("\n");
      try {
        await navigator.clipboard.writeText(text);
        told.textContent = told.dataset.done;
      } catch {
        getSelection().selectAllChildren(from);
        from.select?.();
      }
    });
  }
  for (const button of document.querySelectorAll("[data-prints]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
})();
