// The page: reads the form, runs the verification, and shows the report.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function list(items, name = "ul") {
  return element(name, {}, ...items.map((item) => element("li", {}, item)));
}

function facts(pairs) {
  return element("dl", {}, ...pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function section(title, ...children) {
  return element("section", {}, element("h2", {}, title), ...children);
}

function showVerdict(report) {
  const status = report.code === 0 ? "good" : report.code === 18 ? "open" : "bad";
  const heading = element("h2", { tabindex: "-1", id: "verdict" }, report.code === 0 ? "Valid" : `Not valid: ${report.verdict}`);
  if (report.code === 18) heading.textContent = "Consent not verified";
  const box = element("section", { class: `verdict ${status}` }, heading, element("p", {}, report.sentence));
  box.append(element("p", {}, `Result code ${report.code}. The command lockbox audit verify ends with the same code.`));
  return box;
}

function showFindings(report) {
  if (report.findings.length === 0) return null;
  const items = report.findings.map(({ code, kind, text, index, request }) => {
    const place = [index === null ? null : `entry ${index}`, request === null ? null : `request ${request}`].filter(Boolean).join(", ");
    return `${text}${place ? ` (${place})` : ""} [${code} ${kind}]`;
  });
  const left = report.counts.reduce((sum, [, count]) => sum + count, 0) - items.length;
  return section("Findings", list(items), left > 0 ? element("p", {}, `${left} more findings are not shown.`) : null);
}

function showDecision(decision) {
  const comment = decision.comment === null ? null : element("blockquote", {}, decision.comment);
  const mark = element("p", { class: decision.isProved ? "proved" : "unproved" }, decision.proof);
  return element("li", {}, element("p", {}, `${decision.what}, ${decision.when}.`), mark, comment);
}

function showRequest(request) {
  const parts = [element("h3", {}, request.title), element("p", {}, request.state), facts(request.facts)];
  if (request.decisions.length > 0) parts.push(element("h4", {}, "Decisions"), element("ul", {}, ...request.decisions.map(showDecision)));
  if (request.wasOpened) parts.push(element("h4", {}, "Access"), ...request.access.map((line) => element("p", {}, line)));
  if (request.uses.length > 0) parts.push(element("h4", {}, "Access activity"), list(request.uses));
  else if (request.wasOpened) parts.push(element("p", {}, "No use of this access is in the log."));
  return element("article", {}, ...parts);
}

function showAuthority(statements) {
  const items = statements.map(({ text, force, approvers, changes, signers }) => element("article", {},
    element("h3", {}, text), element("p", {}, `${force} ${signers}`), list(approvers),
    changes.length > 0 ? element("h4", {}, "Changes") : null, changes.length > 0 ? list(changes) : null));
  return section("Authority of the tenant", ...items);
}

const SHOWN_AT_ONCE = 200;

// Requests in slices: a button shows the next ones.
function showRequests(title, requests, nothing) {
  const place = section(`${title} (${requests.length})`);
  if (requests.length === 0) place.append(element("p", {}, nothing));
  let shown = 0;
  const more = element("button", { type: "button" }, "Show more requests");
  const next = () => {
    more.remove();
    place.append(...requests.slice(shown, shown + SHOWN_AT_ONCE).map(showRequest));
    shown += SHOWN_AT_ONCE;
    if (shown < requests.length) place.append(more);
  };
  more.addEventListener("click", next);
  next();
  return place;
}

function showReport(report) {
  const opened = report.requests.filter(({ wasOpened }) => wasOpened);
  const others = report.requests.filter(({ wasOpened }) => !wasOpened);
  const parts = [showVerdict(report), showFindings(report), section("Not proved", list(report.notProved))];
  if (report.log) parts.push(section("Log", facts(report.log)));
  if (report.log && report.requests.length + report.authority.length > 0) {
    parts.push(showRequests("Access that was opened", opened, "No access was opened in this log."));
    parts.push(showRequests("Requests without access", others, "There is no such request in this log."));
  }
  if (report.authority.length > 0) parts.push(showAuthority(report.authority));
  document.getElementById("report").replaceChildren(...parts.filter(Boolean));
  document.getElementById("verdict").focus();
}

function say(text) {
  document.getElementById("status").textContent = text;
}

// Verifies what the reader gave, and shows the report.
async function run() {
  const value = (id) => document.getElementById(id).value;
  const input = collectInput({
    authorityText: value("authority"), keyText: value("key"), witnessText: value("witnesses"), witnessesRequired: value("witnesses-required"),
  });
  if (isText(input)) {
    say(input);
    return;
  }
  const button = document.getElementById("verify");
  button.disabled = true;
  delete document.documentElement.dataset.verdict;
  document.getElementById("progress").hidden = false;
  try {
    const result = await verify(input, (step) => say(`${step} …`));
    const report = reportOf(result);
    window.result = report;
    showReport(report);
    say("The verification is complete.");
    document.documentElement.dataset.verdict = String(report.code);
  } catch (fault) {
    say(`The verification stopped: ${fault.message}. This is an error of this page, not a result.`);
    document.documentElement.dataset.verdict = "1";
  }
  document.getElementById("progress").hidden = true;
  button.disabled = false;
}

async function take(files) {
  const sentences = await takeFiles(files);
  document.getElementById("taken").append(...sentences.map((sentence) => element("li", {}, sentence)));
  say(given.bundle ? "Ready to verify." : "Choose a bundle.");
}

async function takeDrop(event) {
  event.preventDefault();
  document.body.classList.remove("over");
  const items = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  for (const item of items) found.push(...(await filesOfEntry(item)));
  await take(found.length > 0 ? found : [...event.dataTransfer.files]);
}

async function start() {
  for (const id of ["bundle", "folder", "others"]) {
    const field = document.getElementById(id);
    field.addEventListener("change", async () => {
      await take([...field.files]);
      field.value = "";
    });
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  document.addEventListener("dragleave", () => document.body.classList.remove("over"));
  document.addEventListener("drop", takeDrop);
  document.getElementById("form").addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  document.getElementById("print").addEventListener("click", () => window.print());
  const fault = await selfTest();
  say(fault ?? "Choose a bundle.");
  document.getElementById("verify").disabled = fault !== null;
}

start();
