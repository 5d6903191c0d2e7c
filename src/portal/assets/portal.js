// The pages work without this. It counts down, and shows news of a request by itself.
"use strict";

const left = (milliseconds) => {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"], [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"]];
  const shown = parts.filter(([count]) => count > 0).slice(0, 2).map(([count, unit]) => `${count} ${unit}`);
  return shown.length ? `${shown.join(" ")} left` : "time is over";
};

const tick = () => {
  for (const element of document.querySelectorAll("[data-until]")) {
    element.textContent = left(Date.parse(element.dataset.until) - Date.now());
  }
};
tick();
setInterval(tick, 1000);

const live = document.querySelector("[data-live]");
if (live) {
  const news = new EventSource(live.dataset.live);
  // Somebody who is writing is not interrupted: the news waits behind a link.
  const isWriting = () => [...document.querySelectorAll("textarea, main input:not([type=hidden])")].some((field) => field.value !== "");
  news.addEventListener("pulse", (event) => {
    if (event.data === live.dataset.pulse) return;
    if (isWriting()) {
      live.hidden = false;
    } else {
      news.close();
      location.reload();
    }
  });
  addEventListener("pagehide", () => news.close());
}
