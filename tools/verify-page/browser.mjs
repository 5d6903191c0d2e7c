// Verifies many bundles with `verify.html` in a real browser, as a person does, for tests: node browser.mjs LIST
//
// LIST and output are those of batch.mjs. Each bundle is dropped on a newly loaded page. Exit code 3 means that there is no
// Chromium with its WebDriver.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const PAGE = pathToFileURL(join(import.meta.dirname, "../../crates/evidence/src/bundle/verify.html")).href;
const FIELDS = { "--key": "key", "--witness": "witnesses", "--witnesses": "witnesses-required", "--authority": "authority" };

// Runs in the page: drops the files, fills in the form, presses the button, and answers with the verdict.
const DROP = `const [files, fields, done] = arguments;
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const transfer = new DataTransfer();
for (const [name, text] of files) transfer.items.add(new File([bytes(text)], name));
const status = document.getElementById("status");
let pressed = false;
const watch = setInterval(() => {
  if (!pressed && status.textContent === "Ready to verify.") {
    pressed = true;
    document.getElementById("verify").click();
  }
  const { verdict } = document.documentElement.dataset;
  if (verdict === undefined) return;
  clearInterval(watch);
  done(verdict);
}, 5);
for (const [id, text] of Object.entries(fields)) document.getElementById(id).value = text;
document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));`;

// Starts the WebDriver on a free port. Answers with the process and its address.
function startDriver() {
  const driver = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((resolve) => {
    driver.on("error", () => process.exit(3));
    driver.stdout.on("data", (text) => {
      const port = /successfully on port ([0-9]+)/.exec(String(text));
      if (port) resolve({ driver, url: `http://127.0.0.1:${port[1]}` });
    });
  });
}

async function call(url, body, method = "POST") {
  const response = await fetch(url, { method, body: method === "POST" ? JSON.stringify(body) : undefined });
  const { value } = await response.json();
  if (!response.ok) throw new Error(value.message);
  return value;
}

function inputOf([path, ...rest]) {
  const files = [path];
  const fields = { key: [], witnesses: [], "witnesses-required": [], authority: [] };
  for (let at = 0; at + 1 < rest.length; at += 2) {
    const isFile = rest[at] === "--checkpoint" || rest[at] === "--vendor-authority" || (rest[at] === "--authority" && existsSync(rest[at + 1]));
    if (isFile) files.push(rest[at + 1]);
    else fields[FIELDS[rest[at]]].push(rest[at + 1]);
  }
  const texts = Object.entries(fields).map(([id, lines]) => [id, lines.join("\n")]);
  return [files.map((file) => [basename(file), readFileSync(file).toString("base64")]), Object.fromEntries(texts)];
}

const { driver, url } = await startDriver();
const options = { args: ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] };
const capabilities = { alwaysMatch: { "goog:chromeOptions": options, timeouts: { script: 120000 } } };
const session = `${url}/session/${(await call(`${url}/session`, { capabilities })).sessionId}`;
try {
  for (const line of readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean)) {
    const values = line.split("\t");
    await call(`${session}/url`, { url: PAGE });
    process.stdout.write(`${values[0]}\t${await call(`${session}/execute/async`, { script: DROP, args: inputOf(values) })}\n`);
  }
} finally {
  await call(session, null, "DELETE");
  driver.kill();
}
