// Finds checkpoints in saved mails and in pasted text.

const DASH = "\u2014 ";

function quotedPrintable(text) {
  const bytes = [];
  const joined = text.replace(/=[ \t]*\r?\n/g, "");
  for (let at = 0; at < joined.length; at += 1) {
    const code = joined[at] === "=" ? /^[0-9A-Fa-f]{2}/.exec(joined.slice(at + 1, at + 3)) : null;
    if (code) {
      bytes.push(parseInt(code[0], 16));
      at += 2;
    } else {
      bytes.push(...utf8(joined[at]));
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

function headersOf(text) {
  const split = /\r?\n\r?\n/.exec(text);
  if (!split) return null;
  const block = text.slice(0, split.index).replace(/\r?\n[ \t]+/g, " ");
  const headers = new Map();
  for (const line of block.split(/\r?\n/)) {
    const found = /^([!-9;-~]+):\s*(.*)$/.exec(line);
    if (!found) return null;
    headers.set(found[1].toLowerCase(), found[2]);
  }
  return { headers, body: text.slice(split.index + split[0].length) };
}

// The plain text of a saved mail, or of one part of it.
function plainText(text, depth = 0) {
  const part = headersOf(text);
  const isMail = part && ["content-type", "mime-version", "received", "content-transfer-encoding"].some((name) => part.headers.has(name));
  if (!isMail || depth > 8) return text;
  const type = part.headers.get("content-type") ?? "text/plain";
  const boundary = /boundary="?([^";]+)"?/i.exec(type);
  if (/^multipart\//i.test(type) && boundary) {
    const pieces = `\n${part.body}`.split(new RegExp(`\\r?\\n--${boundary[1].replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?:--)?[ \\t]*(?=\\r?\\n|$)`));
    return pieces.slice(1).map((piece) => plainText(piece.replace(/^\r?\n/, ""), depth + 1)).join("\n");
  }
  if (/^message\/rfc822/i.test(type)) return plainText(part.body, depth + 1);
  const encoding = (part.headers.get("content-transfer-encoding") ?? "").trim().toLowerCase();
  if (encoding === "quoted-printable") return quotedPrintable(part.body);
  if (encoding === "base64") return new TextDecoder().decode(fromBase64(part.body.replace(/\s+/g, "")) ?? new Uint8Array(0));
  return part.body;
}

// Signature lines from a line on, with their continuation lines joined, and the number of lines read.
function signatureLines(lines, start) {
  const signatures = [];
  let at = start;
  while (at < lines.length && lines[at].startsWith(DASH)) {
    let line = lines[at].trimEnd();
    at += 1;
    while (!line.endsWith("=") && at < lines.length && /^[A-Za-z0-9+/=]+$/.test(lines[at].trimEnd())) {
      if (!line.slice(DASH.length).includes(" ")) line += " ";
      line += lines[at].trimEnd();
      at += 1;
    }
    signatures.push(line);
  }
  return { signatures, end: at };
}

// The notes of all checkpoints in a mail or text.
function checkpointsInMail(bytes) {
  const text = plainText(textOf(bytes) ?? new TextDecoder("latin1").decode(bytes));
  const lines = text.split(/\r?\n/).map((line) => line.replace(/^[>| \t]+/, ""));
  const notes = [];
  for (let at = 0; at < lines.length; at += 1) {
    if (!lines[at].startsWith(DASH)) continue;
    const { signatures, end } = signatureLines(lines, at);
    if (at >= 4 && lines[at - 1].trim() === "") {
      const head = lines.slice(at - 4, at - 1).map((line) => line.trimEnd());
      notes.push(utf8(`${head.join("\n")}\n\n${signatures.join("\n")}\n`));
    }
    at = end - 1;
  }
  return notes;
}
