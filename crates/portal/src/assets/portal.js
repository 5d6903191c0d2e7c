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
// Times name their zone, UTC; here they are in the reader's as well, when that is another.
const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const zoneName = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" });
for (const element of document.querySelectorAll("time[datetime]")) {
  const at = new Date(element.dateTime);
  if (at.getTimezoneOffset() === 0) continue;
  const name = zoneName.formatToParts(at).find((part) => part.type === "timeZoneName").value;
  const text = `${zone.format(at)} ${name}`;
  if (element.closest("dd, .until, #state-until")) {
    element.insertAdjacentHTML("afterend", '<span class="here"></span>');
    element.nextElementSibling.textContent = ` (${text})`;
  } else {
    element.title = text;
  }
}
tick();
setInterval(tick, 1000);

// A browser keeps six connections to a host over HTTP/1.1. Three pages in view may hold one for news; every other page
// asks now and then. A page that nobody sees asks seldom, and as soon as it is seen again.
const live = document.querySelector("[data-live]");
const SLOTS = 3;
const ASK_SECONDS = 3;
const HIDDEN_ASK_SECONDS = 30;

const follow = () => {
  let news;
  let release = () => {};
  let waiting;
  let isFinished = false;
  let isBeginning = false;
  // A form that was refused is shown at the address it was sent to; the page itself is elsewhere.
  const page = live.querySelector("a").pathname;
  // Somebody who is writing is not interrupted: the news waits behind a link.
  const isWriting = () => [...document.querySelectorAll("textarea, main input:not([type=hidden])")].some((field) => field.value !== "");
  const stop = () => {
    news?.close();
    news = undefined;
    clearTimeout(waiting);
    release();
    release = () => {};
  };
  const reload = () => {
    isFinished = true;
    stop();
    // Nobody clicked: this must not count as activity, or an open page would keep its reader signed in.
    document.cookie = `lockbox-update=1; Path=${page}; Max-Age=5; SameSite=Strict`;
    if (location.pathname === page) location.reload();
    else location.replace(page);
  };
  const show = (words) => {
    if (words) live.querySelector(".banner").textContent = words;
    live.hidden = false;
  };
  const told = (pulse) => {
    if (isFinished || !pulse || pulse === live.dataset.pulse) return;
    if (isWriting()) show();
    else reload();
  };
  const signedOut = () => {
    if (isFinished) return;
    if (!isWriting()) return reload();
    isFinished = true;
    stop();
    show("You were signed out, because nothing was done here for some time. Copy what you wrote, and sign in again.");
  };
  const askSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 1000 * (document.hidden ? HIDDEN_ASK_SECONDS : ASK_SECONDS));
  };
  const ask = async () => {
    try {
      const answer = await fetch(`${live.dataset.live}?once=1`, { redirect: "manual" });
      if (answer.type === "opaqueredirect") signedOut();
      else if (answer.ok) told(await answer.text());
    } catch {
      // The portal is away; the next time will tell.
    }
    if (!isFinished && !news) await begin();
  };
  const listen = () => {
    news = new EventSource(live.dataset.live);
    news.addEventListener("pulse", (event) => told(event.data));
    news.addEventListener("signed-out", signedOut);
    news.addEventListener("error", () => {
      // Closed for good, such as by a proxy that answers something else.
      if (news?.readyState === EventSource.CLOSED) {
        stop();
        askSoon();
      }
    });
  };
  // Takes a free slot and holds it until `release`.
  const take = (slot) => new Promise((taken) => {
    navigator.locks.request(`lockbox-news-${slot}`, { ifAvailable: true }, (lock) => {
      taken(lock !== null);
      return lock && new Promise((letGo) => { release = letGo; });
    }).catch(() => taken(false));
  });
  const listens = async () => {
    if (document.hidden || !navigator.locks) return false;
    for (let slot = 0; slot < SLOTS; slot += 1) {
      if (!(await take(slot))) continue;
      if (document.hidden || isFinished) {
        release();
        return false;
      }
      listen();
      return true;
    }
    return false;
  };
  const begin = async () => {
    if (isBeginning) return;
    isBeginning = true;
    if (!(await listens()) && !isFinished) askSoon();
    isBeginning = false;
  };
  document.addEventListener("visibilitychange", () => {
    if (isFinished) return;
    stop();
    if (document.hidden) askSoon();
    else ask();
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
  begin();
};
document.cookie = `lockbox-update=; Path=${location.pathname}; Max-Age=0; SameSite=Strict`;
if (live) follow();

// What would become of a request, while it is typed.
const asking = document.querySelector("form[data-preview]");
if (asking) {
  let waiting;
  let asked = 0;
  const look = async () => {
    const turn = ++asked;
    const answer = await fetch(asking.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(asking)) });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Only the newest answer counts, whichever comes last.
    if (turn !== asked) return;
    document.querySelector("#preview").replaceWith(page.querySelector("#preview"));
    for (const place of asking.querySelectorAll("[data-fault]")) {
      place.textContent = page.querySelector(`[data-fault="${place.dataset.fault}"]`)?.textContent ?? "";
      const field = place.parentElement.querySelector("[name]");
      if (place.textContent) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  };
  asking.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => look().catch(() => {}), 300);
  });
}
