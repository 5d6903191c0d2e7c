"""ECDSA signature verification on P-256 with SHA-256 (FIPS 186-5; SEC 1)."""
import functools
import hashlib

from der import read_two_integers

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5, 1)
# Points are in Jacobian coordinates (x/z^2, y/z^3). The neutral element has z = 0.
NEUTRAL = (1, 1, 0)


def _double(point):
    x, y, z = point
    delta, gamma = z * z % P, y * y % P
    beta, alpha = x * gamma % P, 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, 2 * y * z % P


def _add(p, q):
    if p[2] == 0:
        return q
    if q[2] == 0:
        return p
    z1, z2 = p[2] * p[2] % P, q[2] * q[2] % P
    u1, u2 = p[0] * z2 % P, q[0] * z1 % P
    s1, s2 = p[1] * z2 * q[2] % P, q[1] * z1 * p[2] % P
    h, r = (u2 - u1) % P, (s2 - s1) % P
    if h == 0:
        return _double(p) if r == 0 else NEUTRAL
    h2 = h * h % P
    h3, v = h2 * h % P, u1 * h2 % P
    x3 = (r * r - h3 - 2 * v) % P
    return x3, (r * (v - x3) - s1 * h3) % P, p[2] * q[2] * h % P


@functools.lru_cache(maxsize=256)
def _multiples(point):
    """The multiples 0 to 15 of a point."""
    row = [NEUTRAL]
    for _ in range(15):
        row.append(_add(row[-1], point))
    return row


def _sum_of_products(a, p, b, q):
    """a·p + b·q, four bits of both numbers at a time."""
    of_p, of_q, total = _multiples(p), _multiples(q), NEUTRAL
    for shift in range(252, -4, -4):
        total = _double(_double(_double(_double(total))))
        total = _add(_add(total, of_p[a >> shift & 15]), of_q[b >> shift & 15])
    return total


def read_point(data):
    """The point of an uncompressed public key. Returns None when it is not one, or not on the curve."""
    if len(data) != 65 or data[0] != 4:
        return None
    x, y = int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big")
    return (x, y, 1) if x < P and y < P and (y * y - x * x * x + 3 * x - B) % P == 0 else None


@functools.lru_cache(maxsize=65536)
def is_valid_signature(key, message, signature):
    """Whether this is a signature in DER form over the message. `key` is an uncompressed point."""
    point, numbers = read_point(key), read_two_integers(signature)
    if point is None or numbers is None:
        return False
    r, s = numbers
    if not (1 <= r < N and 1 <= s < N):
        return False
    digest, inverse = int.from_bytes(hashlib.sha256(message).digest(), "big"), pow(s, -1, N)
    x, _, z = _sum_of_products(digest * inverse % N, G, r * inverse % N, point)
    # x/z^2 modulo N is r, compared without a division.
    return z != 0 and any((candidate * z * z - x) % P == 0 for candidate in (r, r + N) if candidate < P)
