// Keeps the page up to date while it is on the screen, and leaves alone the parts that its reader uses.
(() => {
  "use strict";
  const EVERY = 1500, SLOWEST = 15000, KEPT = "reveal-queue-paused";
  const status = document.getElementById("live-status"), button = document.getElementById("live-pause");
  const stale = document.getElementById("live-stale");
  const time = () => new Date().toISOString().slice(11, 19);
  let timer, wait = EVERY, running = false, seen = time(), paused = false;
  try { paused = sessionStorage.getItem(KEPT) === "1"; } catch { /* storage is off */ }

  // A part is not replaced while a field of it is typed into or text of it is selected.
  const inUse = (part) => {
    const active = document.activeElement, selection = getSelection();
    return part.contains(active) && active.matches("input, select, textarea")
      || !selection.isCollapsed && selection.containsNode(part, true);
  };

  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

  // Makes `node` like `other` and keeps all elements that both have, so that focus and scrolling stay.
  const become = (node, other) => {
    if (node.nodeType !== Node.ELEMENT_NODE) {
      if (node.nodeValue !== other.nodeValue) node.nodeValue = other.nodeValue;
      return;
    }
    for (const { name } of [...node.attributes]) if (!other.hasAttribute(name)) node.removeAttribute(name);
    for (const { name, value } of other.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    let here = node.firstChild;
    for (const child of [...other.childNodes]) {
      const known = child.id && [...node.children].find((element) => element.id === child.id);
      // The nodes before it are gone, or come later.
      if (known) while (here && here !== known) { const next = here.nextSibling; here.remove(); here = next; }
      if (here && alike(here, child)) { become(here, child); here = here.nextSibling; }
      else node.insertBefore(child, here);
    }
    while (here) { const next = here.nextSibling; here.remove(); here = next; }
  };

  const swap = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const parts = document.querySelectorAll("[data-live]");
    if (!parts.length) return location.reload(); // an error was shown, and it is over
    for (const part of parts) {
      const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!other || inUse(part) || other.innerHTML === part.innerHTML) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
      become(part, other);
      if (focused && document.activeElement.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
    }
    const title = fresh.querySelector("title");
    if (title && document.title !== title.textContent) document.title = title.textContent;
  };

  const say = (state, text) => {
    status.dataset.state = state;
    if (status.textContent !== text) status.textContent = text;
  };

  // After a failure the page still shows the time of its last read.
  const lost = (why) => {
    document.body.classList.toggle("stale", Boolean(why));
    stale.hidden = !why;
    const text = why ? `${why} since ${seen} UTC. What is shown here is of that time.` : "";
    if (stale.textContent !== text) stale.textContent = text;
  };

  const look = async () => {
    clearTimeout(timer);
    if (running || paused || document.hidden) return;
    running = true;
    let why = "This worker has not answered";
    try {
      const answer = await fetch(location.href, {
        headers: { "x-live": "1" }, cache: "no-store", signal: AbortSignal.timeout(10000),
      });
      if (answer.status === 401) return location.reload();
      if (answer.status === 503) why = "The ledger has not been readable";
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      if (!paused) { swap(text); say("on", "Live"); }
      seen = time();
      wait = EVERY;
      lost("");
    } catch {
      wait = Math.min(wait * 2, SLOWEST);
      if (!paused) say("off", "Trying again");
      if (document.querySelector("[data-live]")) lost(why);
    } finally {
      running = false;
    }
    timer = setTimeout(look, wait);
  };

  const show = () => {
    button.textContent = paused ? "Go on" : "Pause";
    button.title = paused ? "Keep this page up to date again" : "Leave this page as it is";
    if (paused) { clearTimeout(timer); say("paused", "Paused"); }
  };
  button.addEventListener("click", () => {
    paused = !paused;
    try { sessionStorage.setItem(KEPT, paused ? "1" : "0"); } catch { /* storage is off */ }
    show();
    if (!paused) look();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { clearTimeout(timer); if (!paused) say("paused", "Paused"); } else look();
  });

  button.hidden = false;
  const away = !document.querySelector("[data-live]");
  if (!paused) say(away ? "off" : "on", away ? "Trying again" : "Live");
  show();
  timer = setTimeout(look, EVERY);
})();
