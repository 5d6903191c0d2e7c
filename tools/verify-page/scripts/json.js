// JSON in RFC 8785 form, as the format page restricts it: numbers are integers between -(2^53-1) and 2^53-1.

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

// Code units that are half of a character cannot be written in UTF-8.
function isWholeText(text) {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}

// The RFC 8785 form of a value, or null when it has none.
function canonical(value) {
  try {
    return write(value);
  } catch {
    return null;
  }
}

function write(value) {
  if (value === null || value === true || value === false) return String(value);
  if (typeof value === "string") {
    if (!isWholeText(value)) throw new Error("half a character");
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new Error("not an integer in the range");
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${write(name)}:${write(value[name])}`).join(",")}}`;
}

// The value of bytes in RFC 8785 form, or undefined for all other bytes.
function fromCanonical(bytes) {
  const text = textOf(bytes);
  const value = text === null ? undefined : fromJson(text);
  return value !== undefined && canonical(value) === text ? value : undefined;
}

function fromJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Hash of a document in RFC 8785 form, in hexadecimal digits.
function digestOf(document) {
  const text = canonical(document);
  return text === null ? null : hexOf(hashOfText(text));
}

// H(purpose, document) of the format page: what a key signs.
function challengeOf(purpose, document) {
  const text = canonical(document);
  return text === null ? null : hashOfText(`${purpose}\n${text}`);
}

function sameJson(one, other) {
  return canonical(one ?? null) === canonical(other ?? null);
}

// True when an object has exactly these members.
function hasMembers(object, names, optional = []) {
  if (!isObject(object)) return false;
  const present = Object.keys(object);
  return names.every((name) => Object.hasOwn(object, name)) && present.every((name) => names.includes(name) || optional.includes(name));
}

// A member of nested objects, such as `at(event, "data", "actor", "id")`, or undefined.
function at(value, ...names) {
  let place = value;
  for (const name of names) {
    if (!isObject(place) || !Object.hasOwn(place, name)) return undefined;
    place = place[name];
  }
  return place;
}

function isText(value) {
  return typeof value === "string";
}

function isCount(value, least = 0) {
  return Number.isSafeInteger(value) && value >= least;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function isUuid(value) {
  return isText(value) && UUID.test(value);
}
