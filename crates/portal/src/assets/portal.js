// Pages work without this script. It shows countdowns and times in the reader's zone, and reloads pages that have changed.
"use strict";

// Time until a deadline, in its two largest units.
const remaining = (milliseconds) => {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"], [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"]];
  const shown = parts.filter(([count]) => count > 0).slice(0, 2).map(([count, unit]) => `${count} ${unit}`);
  return shown.length ? `${shown.join(" ")} left` : "time is up";
};

const LAST_HOUR = 3600 * 1000;

const updateCountdowns = () => {
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Date.parse(element.dataset.until) - Date.now();
    element.textContent = remaining(left);
    element.classList.toggle("soon", left < LAST_HOUR);
  }
};

// Pages have times in UTC. Here they are relative and in the reader's zone; UTC is in the tooltip.
const absoluteFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
const relativeFormat = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const RELATIVE_DAYS = 7;

const relative = (at) => {
  const seconds = Math.round((at.getTime() - Date.now()) / 1000);
  const size = Math.abs(seconds);
  if (size < 60) return seconds > 0 ? "in less than a minute" : "less than a minute ago";
  if (size < 3600) return relativeFormat.format(Math.trunc(seconds / 60), "minute");
  if (size < 86400) return relativeFormat.format(Math.trunc(seconds / 3600), "hour");
  if (size < RELATIVE_DAYS * 86400) return relativeFormat.format(Math.trunc(seconds / 86400), "day");
  return "";
};

const updateTimes = () => {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    element.title ||= element.textContent;
    // A countdown beside the time says the same as a relative time.
    const hasCountdown = element.parentElement.querySelector("[data-until]") !== null;
    element.textContent = [hasCountdown ? "" : relative(at), absoluteFormat.format(at)].filter((part) => part).join(", ");
  }
};
updateTimes();
updateCountdowns();
setInterval(updateCountdowns, 1000);
setInterval(updateTimes, 30000);

// A browser opens at most six connections to a host over HTTP/1.1. Three visible pages may hold one for updates. Every
// other page polls, a hidden page less often, and again as soon as it is visible.
const updates = document.querySelector("[data-updates]");
const SLOTS = 3;
const POLL_SECONDS = 3;
const HIDDEN_POLL_SECONDS = 30;

const watchUpdates = () => {
  let source;
  let release = () => {};
  let timer;
  let isFinished = false;
  let isStarting = false;
  // A refused form is shown at the address that it was sent to; the page itself has another address.
  const page = updates.querySelector("a").pathname;
  // A page with unsent input is not reloaded: it shows a link instead.
  const hasInput = () => [...document.querySelectorAll("textarea, main input:not([type=hidden])")].some((field) => field.value !== "");
  const stop = () => {
    source?.close();
    source = undefined;
    clearTimeout(timer);
    release();
    release = () => {};
  };
  const reload = () => {
    isFinished = true;
    stop();
    // A reload by the script must not count as activity, or an open page would keep its reader signed in.
    document.cookie = `lockbox-update=1; Path=${page}; Max-Age=5; SameSite=Strict`;
    if (location.pathname === page) location.reload();
    else location.replace(page);
  };
  const showBanner = (message) => {
    if (message) updates.querySelector(".banner").textContent = message;
    updates.hidden = false;
  };
  const onVersion = (version) => {
    if (isFinished || !version || version === updates.dataset.version) return;
    if (hasInput()) showBanner();
    else reload();
  };
  const onSignedOut = () => {
    if (isFinished) return;
    if (!hasInput()) return reload();
    isFinished = true;
    stop();
    showBanner("You were signed out after 30 minutes without activity. Copy your text, and sign in again.");
  };
  const schedulePoll = () => {
    clearTimeout(timer);
    timer = setTimeout(poll, 1000 * (document.hidden ? HIDDEN_POLL_SECONDS : POLL_SECONDS));
  };
  const poll = async () => {
    try {
      const response = await fetch(`${updates.dataset.updates}?once=1`, { redirect: "manual" });
      if (response.type === "opaqueredirect") onSignedOut();
      else if (response.ok) onVersion(await response.text());
    } catch {
      // The portal is not available; the next poll tries again.
    }
    if (!isFinished && !source) await start();
  };
  const listen = () => {
    source = new EventSource(updates.dataset.updates);
    source.addEventListener("version", (event) => onVersion(event.data));
    source.addEventListener("signed-out", onSignedOut);
    source.addEventListener("error", () => {
      // Closed permanently, for example by a proxy that sends another response.
      if (source?.readyState === EventSource.CLOSED) {
        stop();
        schedulePoll();
      }
    });
  };
  // Locks a free slot until `release`.
  const lockSlot = (slot) => new Promise((resolve) => {
    navigator.locks.request(`lockbox-updates-${slot}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && new Promise((unlock) => { release = unlock; });
    }).catch(() => resolve(false));
  });
  const listenInFreeSlot = async () => {
    if (document.hidden || !navigator.locks) return false;
    for (let slot = 0; slot < SLOTS; slot += 1) {
      if (!(await lockSlot(slot))) continue;
      if (document.hidden || isFinished) {
        release();
        return false;
      }
      listen();
      return true;
    }
    return false;
  };
  const start = async () => {
    if (isStarting) return;
    isStarting = true;
    if (!(await listenInFreeSlot()) && !isFinished) schedulePoll();
    isStarting = false;
  };
  document.addEventListener("visibilitychange", () => {
    if (isFinished) return;
    stop();
    if (document.hidden) schedulePoll();
    else poll();
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) poll(); });
  start();
};
document.cookie = `lockbox-update=; Path=${location.pathname}; Max-Age=0; SameSite=Strict`;
if (updates) watchUpdates();

// Updates the preview of a request while the form is filled in.
const requestForm = document.querySelector("form[data-preview]");
if (requestForm) {
  let timer;
  let latest = 0;
  const updatePreview = async () => {
    const current = ++latest;
    const response = await fetch(requestForm.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(requestForm)) });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    // Only the response to the latest input counts; responses may arrive in another order.
    if (current !== latest) return;
    document.querySelector("#preview").replaceWith(page.querySelector("#preview"));
    updateTimes();
    for (const place of requestForm.querySelectorAll("[data-field-error]")) {
      place.textContent = page.querySelector(`[data-field-error="${place.dataset.fieldError}"]`)?.textContent ?? "";
      const field = place.parentElement.querySelector("[name]");
      if (place.textContent) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  };
  requestForm.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => updatePreview().catch(() => {}), 300);
  });
}
