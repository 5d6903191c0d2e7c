// The Merkle tree of RFC 6962 section 2.1. A tree keeps the hashes of its complete nodes by level.

const ZERO_BYTE = Uint8Array.of(0);
const ONE_BYTE = Uint8Array.of(1);

function leafHash(entry) {
  return sha256(concat(ZERO_BYTE, entry));
}

function nodeHash(left, right) {
  return sha256(concat(ONE_BYTE, left, right));
}

// A tree over leaf hashes. It grows in slices so that the page stays responsive.
class Tree {
  constructor(leaves) {
    this.levels = [leaves];
  }

  async grow(pause) {
    for (let level = 0; this.levels[level].length > 1; level += 1) {
      const below = this.levels[level];
      const above = [];
      for (let at = 0; at + 1 < below.length; at += 2) {
        above.push(nodeHash(below[at], below[at + 1]));
        if (at % 4096 === 0) await pause();
      }
      this.levels.push(above);
    }
    return this;
  }

  // The root of the first `size` leaves.
  root(size) {
    if (size === 0) return sha256(new Uint8Array(0));
    let hash = null;
    let rest = size;
    for (let level = 0; rest > 0; level += 1) {
      if (rest % 2 === 1) {
        const node = this.levels[level][rest - 1];
        hash = hash === null ? node : nodeHash(node, hash);
      }
      rest = Math.floor(rest / 2);
    }
    return hash;
  }
}

// The root to which an inclusion proof leads (RFC 6962 section 2.1.1), or null when it has a wrong length.
function rootFromProof(leaf, index, size, path) {
  if (index >= size) return null;
  let hash = leaf;
  let place = index;
  let last = size - 1;
  for (const sibling of path) {
    if (last === 0) return null;
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sibling, hash);
      while (place % 2 === 0 && place !== 0) {
        place = Math.floor(place / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : null;
}

// The part of a tile's path that is its number: 1234067 is x001/x234/067 (C2SP tlog-tiles).
function tilePath(number) {
  const groups = [String(number % 1000).padStart(3, "0")];
  for (let rest = Math.floor(number / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  }
  return groups.join("/");
}

// Path and width of every tile of one level over `count` hashes.
function tilesOf(level, count) {
  const tiles = [];
  for (let number = 0; number * 256 < count; number += 1) {
    const width = Math.min(256, count - number * 256);
    const end = width === 256 ? "" : `.p/${width}`;
    tiles.push({ path: `tile/${level}/${tilePath(number)}${end}`, number, width });
  }
  return tiles;
}
