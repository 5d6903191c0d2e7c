// Runs the scripts of `verify.html` in Node over many bundles, for tests: node batch.mjs LIST
//
// Each line of LIST has the arguments of one verification, separated by tabs: PATH, then --key KEY, --checkpoint FILE,
// --authority FILE or FINGERPRINT, --vendor-authority FILE, --witness KEY, --witnesses NUMBER. It prints `PATH<tab>CODE` for each.
// With --findings before LIST, it prints the findings too.

import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";

const ONLY_IN_BROWSERS = ["input.js", "page.js"];
const folder = import.meta.dirname;

function load() {
  const names = readFileSync(join(folder, "scripts.txt"), "utf8").split("\n").filter((name) => name && !ONLY_IN_BROWSERS.includes(name));
  const scripts = names.map((name) => readFileSync(join(folder, "scripts", name), "utf8"));
  return new Function(`"use strict";\n${scripts.join("\n")}\nreturn { authorityOf, keyFromText, readTar, reportOf, verify };`)();
}

const { authorityOf, keyFromText, readTar, reportOf, verify } = load();

function read(path) {
  return new Uint8Array(readFileSync(path));
}

function readBundle(path) {
  if (!statSync(path).isDirectory()) return readTar(read(path));
  const names = readdirSync(path, { recursive: true }).map((name) => join(path, name));
  const files = names.filter((name) => statSync(name).isFile());
  return { files: new Map(files.map((name) => [relative(path, name), read(name)])), damage: null };
}

function readAuthority(text) {
  return authorityOf(existsSync(text) ? readFileSync(text, "utf8") : text);
}

// The input of `verify` for the arguments of one line, or null for an error of use.
function inputOf([path, ...rest]) {
  const input = { ...readBundle(path), keys: [], witnesses: [], earlier: [], authority: null, vendorAuthority: null, witnessesRequired: null };
  for (let at = 0; at + 1 < rest.length; at += 2) {
    const value = rest[at + 1];
    if (rest[at] === "--key") input.keys.push(value);
    else if (rest[at] === "--witness") input.witnesses.push(value);
    else if (rest[at] === "--checkpoint") input.earlier.push({ name: value, bytes: read(value) });
    else if (rest[at] === "--authority") input.authority = readAuthority(value);
    else if (rest[at] === "--vendor-authority") input.vendorAuthority = readAuthority(value);
    else if (rest[at] === "--witnesses") input.witnessesRequired = Number(value);
    else return null;
    if (input.authority === null && rest[at] === "--authority") return null;
    if (input.vendorAuthority === null && rest[at] === "--vendor-authority") return null;
  }
  return [...input.keys, ...input.witnesses].every(keyFromText) ? input : null;
}

const wantsFindings = process.argv[2] === "--findings";
for (const line of readFileSync(process.argv.at(-1), "utf8").split("\n").filter((text) => text && !text.startsWith("#"))) {
  const values = line.split("\t");
  const input = inputOf(values);
  const result = input === null ? null : await verify(input);
  const lines = [`${values[0]}\t${result === null ? 2 : result.code}`];
  if (wantsFindings && result) lines.push(...reportOf(result).findings.map(({ code, text, index }) => `  ${code} ${text} (${index})`));
  process.stdout.write(`${lines.join("\n")}\n`);
}
