// Keeps a page as its reader may see it now: a stream says that something has changed, and the page is asked
// for anew. Without it the page is as it was when it was opened, and the doors say no all the same.
(() => {
  const { tickets, token, records } = document.currentScript.dataset;
  const followsRecords = records !== undefined;
  const again = [1000, 2000, 5000, 15000, 30000]; // ms to wait before the next try
  let tries = 0;
  let stream = null;

  const open = async () => {
    if (stream || document.hidden) return;
    const body = new URLSearchParams({ page: location.pathname, csrfmiddlewaretoken: token });
    try {
      const answer = await fetch(tickets, { method: "POST", body, redirect: "manual" });
      if (isLeaving) return;
      if (answer.type === "opaqueredirect" || answer.status === 403) return location.reload();
      if (!answer.ok) throw new Error(answer.status);
      stream = new EventSource((await answer.json()).url);
    } catch {
      return later();
    }
    stream.addEventListener("open", () => { tries = 0; });
    stream.addEventListener("policy", refresh);
    if (followsRecords) stream.addEventListener("records", refresh);
    stream.addEventListener("gone", () => { close(); refresh(); later(); });
    stream.addEventListener("error", () => { close(); later(); }); // a ticket is good once: ask for another
  };
  const close = () => { stream?.close(); stream = null; };
  const later = () => { setTimeout(open, again[Math.min(tries++, again.length - 1)]); };

  // What somebody does here changes the data, too, and the stream may tell of it before the answer has come:
  // to load the page again would then throw the answer away.
  let isLeaving = false;
  addEventListener("beforeunload", () => {
    isLeaving = true;
    setTimeout(() => { isLeaving = false; }, 15000); // a download leaves the page where it is
  });

  // Somebody who has begun to fill a form in keeps it; the door looks again when it is sent.
  const isBusy = () => document.activeElement?.closest("main form") || document.querySelector("main form[data-touched]");
  let isAsking = false, isDue = false;
  const refresh = async () => {
    if (isLeaving) return;
    if (isAsking) { isDue = true; return; }
    isAsking = true;
    try {
      const answer = await fetch(location.href, { redirect: "manual" });
      const told = await answer.text();
      if (isLeaving) return;
      if (answer.type === "opaqueredirect" || !answer.ok) return location.reload();
      const page = new DOMParser().parseFromString(told, "text/html");
      swap("#places", page);
      if (!isBusy()) swap("main", page);
    } catch { /* the console is away: the page stays as it is */ } finally {
      isAsking = false;
      if (isDue) { isDue = false; setTimeout(refresh, 1000); }
    }
  };
  const swap = (what, page) => {
    const old = document.querySelector(what), now = page.querySelector(what);
    if (!old || !now || old.innerHTML === now.innerHTML) return;
    const openOnes = new Set([...old.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
    old.replaceChildren(...now.childNodes);
    for (const one of old.querySelectorAll("details > summary")) if (openOnes.has(one.textContent)) one.parentElement.open = true;
    window.htmx?.process(old);
  };

  document.addEventListener("input", (event) => event.target.closest("main form")?.setAttribute("data-touched", ""));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close(); else { tries = 0; refresh(); open(); }
  });
  addEventListener("pagehide", close);
  open();
})();
