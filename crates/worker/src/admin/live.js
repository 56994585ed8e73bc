// Keeps the page up to date while somebody looks at it.
(() => {
  "use strict";
  const EVERY = 1500, SLOWEST = 15000;
  const status = document.getElementById("live-status");
  let timer, wait = EVERY, running = false;

  // Whoever types or has a menu open is not interrupted.
  const busy = (part) => part.contains(document.activeElement)
    && document.activeElement.matches("input, select, textarea");

  const swap = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const parts = document.querySelectorAll("[data-live]");
    if (!parts.length) return location.reload(); // an error was shown, and it is over
    for (const part of parts) {
      const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!other || busy(part) || other.innerHTML === part.dataset.was) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
      part.dataset.was = other.innerHTML;
      part.replaceChildren(...other.childNodes);
      if (focused) document.getElementById(focused)?.focus();
    }
    const title = fresh.querySelector("title");
    if (title) document.title = title.textContent;
  };

  const say = (state, text) => {
    if (!status) return;
    status.dataset.state = state;
    if (status.textContent !== text) status.textContent = text;
  };

  const look = async () => {
    clearTimeout(timer);
    if (running || document.hidden) return;
    running = true;
    try {
      const answer = await fetch(location.href, {
        headers: { "x-live": "1" }, cache: "no-store", signal: AbortSignal.timeout(10000),
      });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      swap(await answer.text());
      wait = EVERY;
      say("on", "Live");
    } catch {
      wait = Math.min(wait * 2, SLOWEST);
      say("off", "Connection lost");
    } finally {
      running = false;
    }
    timer = setTimeout(look, wait);
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { clearTimeout(timer); say("paused", "Paused"); } else look();
  });
  say("on", "Live");
  timer = setTimeout(look, EVERY);
})();
