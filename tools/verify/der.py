"""Strict DER (X.690): a sequence of two positive integers, the form of ECDSA-Sig-Value and RSAPublicKey."""


def _read(data, tag):
    """Splits off one value with this tag. Returns (content, rest). Raises ValueError when it is not DER."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError("another tag")
    length, start = data[1], 2
    if length >= 0x80:
        count = length & 0x7f
        digits = data[2:2 + count]
        length, start = int.from_bytes(digits, "big"), 2 + count
        if count == 0 or len(digits) != count or digits[0] == 0 or length < 0x80:
            raise ValueError("a length that is not in the shortest form")
    if start + length > len(data):
        raise ValueError("it ends inside a value")
    return data[start:start + length], data[start + length:]


def read_two_integers(data):
    """The two integers, both positive. Returns None when the bytes are anything else."""
    try:
        content, rest = _read(data, 0x30)
        first, others = _read(content, 0x02)
        second, end = _read(others, 0x02)
    except ValueError:
        return None
    for number in (first, second):
        is_shortest = len(number) > 0 and not (number[0] == 0 and (len(number) == 1 or number[1] < 0x80))
        if not is_shortest or number[0] >= 0x80:
            return None
    return None if rest or end else (int.from_bytes(first, "big"), int.from_bytes(second, "big"))
