"""Mutations of tokens: bits, segments, headers, claims, signatures, and other writings of the same."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from random import Random
from typing import Any

from conformance.fuzz import mutation as bytewise
from conformance.tampering.originals import attackers_account, trusted_account

ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the group of Ed25519: S and S + ORDER are the same number to a verifier that does not look."""
PRIME = 2**255 - 19

TokenMutation = Callable[[Random, str, str], str]
"""A token, and another one that is signed as well -> what it became."""

HEADERS: tuple[dict[str, Any], ...] = (
    {"typ": "jwt", "alg": "none"}, {"typ": "jwt", "alg": "None"}, {"alg": "none"}, {"typ": "jwt", "alg": "HS256"},
    {"typ": "jwt", "alg": "EdDSA"}, {"typ": "jwt", "alg": "ed25519"}, {"typ": "jwt", "alg": ""}, {"typ": "jwt"},
    {"typ": "JWT", "alg": "Ed25519"}, {"typ": "jwt", "alg": "Ed25519", "crit": ["exp"]}, {"alg": "Ed25519"},
    {"typ": "jwt", "alg": "RS256", "jwk": {}}, {},
)  # fmt: skip
"""What a header may say to have the signature looked at otherwise, or not at all."""

CHANGES: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("iss",), attackers_account().public_key), (("sub",), attackers_account().public_key), (("exp",), 2**63),
    (("exp",), None), (("nbf",), 0), (("iat",), 0), (("jti",), "x"), (("wascap",), None), (("wascap",), {}),
    (("wascap", "caps"), ["wascc:keyvalue", "wascc:messaging"]), (("wascap", "caps"), None),
    (("wascap", "hash"), "00" * 32), (("wascap", "rev"), 2**31 - 1), (("wascap", "prov"), True),
    (("wascap", "name"), "Another"), (("wascap", "tags"), []), (("wascap", "valid_signers"), ["x"]),
    (("wascap", "target_hashes"), {}), (("wascap", "capid"), "wascc:extras"), (("admin",), True),
)  # fmt: skip
"""Claims that somebody would like to have."""


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    """What base64url stands for."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def compact(value: object) -> bytes:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()


def flip_text(rng: Random, token: str, other: str) -> str:
    """A bit of the text becomes its opposite."""
    data = bytearray(token.encode())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(7)
    return data.decode("latin-1")


def edit_text(rng: Random, token: str, other: str) -> str:
    """Any mutation of bytes, of the text."""
    return bytewise.mutate_bytes(rng, token.encode(), other.encode()).decode("latin-1")


def edit_segment(rng: Random, token: str, other: str) -> str:
    """Any mutation of bytes, of what a segment stands for; it is written properly again."""
    segments, others = token.split("."), other.split(".")
    at = rng.randrange(3)
    segments[at] = encoded(bytewise.mutate_bytes(rng, decoded(segments[at]), decoded(others[at])))
    return ".".join(segments)


def flip_decoded(rng: Random, token: str, other: str) -> str:
    """A bit of what a segment stands for becomes its opposite."""
    segments = token.split(".")
    at = rng.randrange(3)
    segments[at] = encoded(bytewise.flip_bit(rng, decoded(segments[at]), b""))
    return ".".join(segments)


def another_algorithm(rng: Random, token: str, other: str) -> str:
    """The header names another algorithm; the signature is kept, missing, or a MAC with the public key as its key."""
    _, claims, signature = token.split(".")
    signed = f"{encoded(compact(rng.choice(HEADERS)))}.{claims}"
    secrets = trusted_account().public_key, json.loads(decoded(claims)).get("iss", "")
    mac = hmac.new(rng.choice(secrets).encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{rng.choice((signature, '', encoded(mac), encoded(bytes(64))))}"


def other_claims(rng: Random, token: str, other: str) -> str:
    """A claim says something else; the signature is kept."""
    header, claims, signature = token.split(".")
    path, value = rng.choice(CHANGES)
    content = json.loads(decoded(claims))
    inside = content
    for name in path[:-1]:
        inside = inside.setdefault(name, {})
    if value is None:
        inside.pop(path[-1], None)
    else:
        inside[path[-1]] = value
    return f"{header}.{encoded(compact(content))}.{signature}"


def claim_twice(rng: Random, token: str, other: str) -> str:
    """A claim comes twice, as the first or as the last of them."""
    header, claims, signature = token.split(".")
    (name, *_), value = rng.choice(CHANGES)
    extra = compact({name: value})[1:-1]
    content = decoded(claims)
    content = b"{" + extra + b"," + content[1:] if rng.random() < 0.5 else content[:-1] + b"," + extra + b"}"
    return f"{header}.{encoded(content)}.{signature}"


def rewritten_json(rng: Random, token: str, other: str) -> str:
    """Header or claims are written otherwise and mean the same: blanks, escapes, another order."""
    segments = token.split(".")
    at = rng.randrange(2)
    content = json.loads(decoded(segments[at]))
    texts = (
        json.dumps(content, indent=rng.randrange(4)),
        json.dumps(dict(reversed(content.items())), separators=(",", ":")),
        decoded(segments[at]).decode().replace('"typ"', '"\\u0074yp"').replace('"iss"', '"\\u0069ss"'),
        "\ufeff" + decoded(segments[at]).decode(),
        decoded(segments[at]).decode() + rng.choice((" ", "\n", "\0", "{}")),
    )
    segments[at] = encoded(rng.choice(texts).encode())
    return ".".join(segments)


def segment_of_another(rng: Random, token: str, other: str) -> str:
    """Some segments are those of another token."""
    taken = rng.randrange(1, 7)
    pairs = enumerate(zip(token.split("."), other.split("."), strict=True))
    return ".".join([theirs if taken >> at & 1 else mine for at, (mine, theirs) in pairs])


def malleable(rng: Random, token: str, other: str) -> str:
    """The signature is another writing of the same numbers: S + n * ORDER, or R outside its range."""
    signed, _, signature = token.rpartition(".")
    r, s = decoded(signature)[:32], int.from_bytes(decoded(signature)[32:], "little")
    form = rng.randrange(4)
    if form == 0:
        s += ORDER * rng.randint(1, (2**256 - 1 - s) // ORDER)
    elif form == 1:
        s = ORDER - s
    elif form == 2:
        r = (int.from_bytes(r, "little") + PRIME & (1 << 256) - 1).to_bytes(32, "little")
    else:
        r = (int.from_bytes(r, "little") ^ 1 << 255).to_bytes(32, "little")
    return f"{signed}.{encoded(r + s.to_bytes(32, 'little'))}"


def degenerate_signature(rng: Random, token: str, other: str) -> str:
    """The signature is none, too short, too long, or made of points of small order."""
    signed, _, signature = token.rpartition(".")
    data = decoded(signature)
    point = rng.choice((b"\x01" + bytes(31), bytes(32), (PRIME - 1).to_bytes(32, "little"), data[:32]))
    forms = (b"", data[:-1], data[: rng.randrange(64)], data + b"\0", data * 2, data[::-1], point + bytes(32),
             bytes(64), b"\xff" * 64, data[32:] + data[:32])  # fmt: skip
    return f"{signed}.{encoded(rng.choice(forms))}"


def another_writing(rng: Random, token: str, other: str) -> str:
    """The same bytes in base64 that is not canonical: padding, stray bits, blanks, the other alphabet."""
    segments = token.split(".")
    at = rng.randrange(3)
    text = segments[at]
    place = rng.randrange(len(text) + 1)
    spare = {0: 0, 2: 4, 3: 2}.get(len(text) % 4, 0)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = text[:-1] + alphabet[alphabet.index(text[-1]) ^ rng.randrange(1, 1 << spare)] if spare else text + "="
    forms = (text + "=", text + "==", stray, text[:place] + rng.choice(" \n\t\r\0") + text[place:],
             text.replace("-", "+").replace("_", "/"), text[:place] + "é" + text[place:], text + "A" * 4)  # fmt: skip
    segments[at] = rng.choice(forms)
    return ".".join(segments)


def more_or_fewer_segments(rng: Random, token: str, other: str) -> str:
    """There are not three segments, or something stands before or behind them."""
    forms = ("", token + ".", "." + token, token + "." + other, token.rpartition(".")[0], token.replace(".", "..", 1),
             token + "\n", " " + token, "\ufeff" + token, token + "\0", token + other,
             token.replace(".", ":"))  # fmt: skip
    return rng.choice(forms)


def signed_by_another(rng: Random, token: str, other: str) -> str:
    """Somebody else has signed it: under the name of the issuer, or under a name of its own."""
    header, claims, _ = token.split(".")
    content = json.loads(decoded(claims))
    path, value = rng.choice(CHANGES)
    if rng.random() < 0.5 and len(path) == 1 and value is not None:
        content[path[0]] = value
    signer = attackers_account()
    if rng.random() < 0.5:
        content["iss"] = signer.public_key
    signed = f"{header}.{encoded(compact(content))}"
    return f"{signed}.{encoded(signer.sign(signed.encode()))}"


TOKEN_MUTATIONS: tuple[TokenMutation, ...] = (
    flip_text, edit_text, edit_segment, flip_decoded, another_algorithm, other_claims, claim_twice, rewritten_json,
    segment_of_another, malleable, degenerate_signature, another_writing, more_or_fewer_segments, signed_by_another,
)  # fmt: skip
