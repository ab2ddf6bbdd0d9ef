// Finds rows of the matrix and counts what is different. Without it the form works all the same.
(() => {
  const form = document.querySelector(".matrix-form");
  if (!form) return;
  const rows = [...form.querySelectorAll("[data-row]")];
  const find = form.querySelector("[data-find]");
  const text = find.querySelector("input[type=search]");
  const only = find.querySelector("[data-only]");
  const told = form.querySelector("[data-changed]");
  const plain = (s) => s.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const chosen = (row) => row.querySelector("input:checked");

  const show = () => {
    const wanted = plain(text.value.trim());
    for (const row of rows) {
      const gives = chosen(row) && chosen(row).value !== "none";
      row.hidden = !plain(row.querySelector("legend").textContent).includes(wanted) || (only.checked && !gives);
    }
    for (const group of form.querySelectorAll("details.group")) {
      const some = [...group.querySelectorAll("[data-row]")].some((row) => !row.hidden);
      group.hidden = !some;
      if (some && (wanted || only.checked)) group.open = true;
    }
  };
  const count = () => {
    const n = rows.filter((row) => row.querySelector("[data-before]") !== chosen(row)).length;
    told.textContent = n === 0 ? told.dataset.none : n === 1 ? told.dataset.one : told.dataset.many.replace("N", n);
  };
  text.addEventListener("input", show);
  text.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  only.addEventListener("change", show);
  form.addEventListener("change", count);
  find.hidden = false;
  count();
})();
