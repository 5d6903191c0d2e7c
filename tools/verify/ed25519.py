"""Ed25519 signature verification (RFC 8032)."""
import functools
import hashlib


P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)


def _recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * I % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def _point(data):
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(p):
    a, b, c = p[0] * p[0] % P, p[1] * p[1] % P, 2 * p[2] * p[2] % P
    h = a + b
    e, g = h - (p[0] + p[1]) * (p[0] + p[1]) % P, a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


@functools.lru_cache(maxsize=256)
def _multiples(p):
    """The multiples 0 to 15 of a point."""
    row = [(0, 1, 1, 0)]
    for _ in range(15):
        row.append(_add(row[-1], p))
    return row


def _sum_of_products(a, p, b, q):
    """a·p + b·q, four bits of both numbers at a time."""
    of_p, of_q, total = _multiples(p), _multiples(q), (0, 1, 1, 0)
    for shift in range(252, -4, -4):
        total = _double(_double(_double(_double(total))))
        total = _add(_add(total, of_p[a >> shift & 15]), of_q[b >> shift & 15])
    return total


_GY = 4 * pow(5, P - 2, P) % P
_GX = _recover_x(_GY, 0)
G = (_GX, _GY, 1, _GX * _GY % P)


@functools.lru_cache(maxsize=65536)
def is_valid_signature(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = _point(key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    # s·G = R + h·A, as s·G + h·(−A) = R.
    found = _sum_of_products(s, G, h, (P - a[0], a[1], 1, P - a[3]))
    return (found[0] - r[0] * found[2]) % P == 0 and (found[1] - r[1] * found[2]) % P == 0
