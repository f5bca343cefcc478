"""JSON web tokens as NATS has them: an operator, an account and its users, and a server's configuration with them."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field

from wascap import KeyPair, KeyType

UNLIMITED = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(issuer: KeyPair, subject: KeyPair, **claims: object) -> str:
    body = {"iss": issuer.public_key, "sub": subject.public_key, "iat": int(time.time()), "jti": "X", "name": "test"}
    text = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part(body | claims)}"
    return f"{text}.{base64.urlsafe_b64encode(issuer.sign(text.encode())).decode().rstrip('=')}"


@dataclass
class Tokens:
    operator: KeyPair = field(default_factory=lambda: KeyPair.generate(KeyType.OPERATOR))
    account: KeyPair = field(default_factory=lambda: KeyPair.generate(KeyType.ACCOUNT))

    def configuration(self) -> str:
        """Of a server that takes the users of the account."""
        operator = token(self.operator, self.operator, nats={"type": "operator", "version": 2})
        limits = {**UNLIMITED, "wildcards": True}
        account = token(self.operator, self.account, nats={"type": "account", "version": 2, "limits": limits})
        return f"operator: {operator}\nresolver: MEMORY\nresolver_preload: {{ {self.account.public_key}: {account} }}\n"

    def user(self, key: KeyPair, expires: int | None = None) -> str:
        limits = {"subs": -1, "data": -1, "payload": -1}
        dates = {} if expires is None else {"exp": expires}
        return token(self.account, key, nats={"type": "user", "version": 2, **limits}, **dates)
