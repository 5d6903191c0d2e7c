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
    if (turn === asked) document.querySelector("#preview").replaceWith(page.querySelector("#preview"));
  };
  asking.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => look().catch(() => {}), 300);
  });
}

// Passkeys: the only thing here that pages cannot do without script.
const trouble = (form, error) => {
  const place = form.querySelector("[data-trouble]");
  place.textContent = `The passkey did not answer: ${error.message}`;
  place.hidden = false;
};

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const seconds = (text) => {
  const [, count, unit] = /^\s*([0-9]+)\s*([smhd])\s*$/.exec(text) ?? [];
  return count ? String(Number(count) * { s: 1, m: 60, h: 3600, d: 86400 }[unit]) : "";
};

const register = document.querySelector("form[data-register]");
register?.addEventListener("submit", async (event) => {
  if (register.elements.answer.value) return;
  event.preventDefault();
  try {
    const body = new URLSearchParams({ form_token: register.elements.form_token.value });
    const answer = await fetch(register.dataset.register, { method: "POST", body });
    if (!answer.ok) throw new Error("sign in again and try once more");
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON((await answer.json()).publicKey);
    register.elements.answer.value = JSON.stringify(await navigator.credentials.create({ publicKey }));
    register.requestSubmit(event.submitter);
  } catch (error) {
    trouble(register, error);
  }
});

// The challenge is the decision: digest of the content, verdict, and the time that is allowed.
const signing = document.querySelector("form[data-passkeys]");
signing?.addEventListener("submit", async (event) => {
  const ids = signing.dataset.passkeys.split(" ").filter((id) => id);
  const fields = signing.elements;
  if (!ids.length || event.submitter.value !== "approve" || fields.assertion.value) return;
  event.preventDefault();
  try {
    const said = ["lockbox.decision.v1", fields.digest.value, "approve", seconds(fields.duration?.value ?? "")].join("\n");
    const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(said));
    const allowCredentials = ids.map((id) => ({ type: "public-key", id: bytes(id) }));
    const publicKey = { challenge, allowCredentials, userVerification: "required", rpId: location.hostname };
    fields.assertion.value = JSON.stringify(await navigator.credentials.get({ publicKey }));
    signing.requestSubmit(event.submitter);
  } catch (error) {
    trouble(signing, error);
  }
});
