"""Requests to one registry: authorized, redirected, bounded in size. Credentials go to the registry's host alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from host.errors import RegistryError
from host.logs import printable
from host.providers.base import distribution_version
from host.registry.access import (
    PASSWORD_VARIABLE,
    TOKEN_SERVER_VARIABLE,
    USER_VARIABLE,
    Challenge,
    Credentials,
    origin,
    place,
    token_in,
)
from host.registry.reference import Reference, is_loopback

MAX_REDIRECTS = 5
MAX_JSON_BYTES = 4 * 1024 * 1024
"""Longest manifest, and longest answer of a token server."""
MAX_SHOWN_CHARACTERS = 200
SILENCE_SECONDS = 30.0
"""How long a server may say nothing."""

Progress = Callable[[int, int], None]
"""Called with how many bytes were carried, and how many there are in all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes


class Connection:
    """A connection to the registry of a reference, to be used as an asynchronous context manager.

    All methods raise RegistryError, httpx.HTTPError and httpx.InvalidURL.
    """

    def __init__(
        self, reference: Reference, actions: str, credentials: Credentials | None, insecure: bool = False
    ) -> None:
        """`actions` is what the token is for: `pull` or `pull,push`. With `insecure`, or if the registry is on this
        machine, it is spoken to without encryption."""
        self._reference = reference
        self._loopback = is_loopback(reference.host)
        self._insecure = insecure
        scheme = "http" if insecure or self._loopback else "https"
        self.url = httpx.URL(f"{scheme}://{reference.registry}/v2/{reference.repository}/")
        self._actions = actions
        self._credentials = credentials
        self._authorization: str | None = None
        headers = {"user-agent": f"wascc/{distribution_version()}", "accept-encoding": "identity"}
        # A proxy that the environment names must not see credentials in plain text.
        self._client = httpx.AsyncClient(headers=headers, timeout=SILENCE_SECONDS, trust_env=scheme == "https")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(
        self, path: str, limit: int, *, accept: str | None = None, progress: Progress | None = None
    ) -> Answer:
        """What the registry has under a path, at most `limit` bytes; redirects are followed."""
        headers = {} if accept is None else {"accept": accept}
        url = self.url.join(path)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._request("GET", url, headers, b"", limit, progress)
            if not 300 <= answer.status < 400 or "location" not in answer.headers:
                return answer
            url = self._checked(url.join(answer.headers["location"]))
        raise RegistryError(f"the registry redirects more than {MAX_REDIRECTS} times")

    async def send(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send something to the registry itself; `target` is a path, or an address that it gave for this."""
        url = self.url.join(target)
        if origin(url) != origin(self.url):
            raise RegistryError(f"the registry wants data to be sent to {place(url)}, which is another server")
        return await self._request(method, url, headers or {}, body, MAX_JSON_BYTES, None)

    async def _request(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        body: bytes,
        limit: int,
        progress: Progress | None,
    ) -> Answer:
        """One request; if the registry wants to know who asks, that is found out, and the request is made again."""
        is_ours = origin(url) == origin(self.url)
        for attempt in range(2):
            sent = dict(headers)
            if is_ours and self._authorization is not None:
                sent["authorization"] = self._authorization
            async with self._client.stream(method, url, headers=sent, content=body or None) as response:
                if response.status_code == 401 and is_ours and attempt == 0:
                    challenge = Challenge.of(response.headers.get_list("www-authenticate"))
                else:
                    return await _read(response, limit, progress)
            self._authorization = await self._authorize(challenge)
        raise RegistryError("the registry refuses access")

    async def _authorize(self, challenge: Challenge) -> str:
        if challenge.basic:
            if self._credentials is None:
                raise RegistryError(f"the registry asks for credentials: set {USER_VARIABLE} and {PASSWORD_VARIABLE}")
            return self._credentials.header
        realm = self._checked(self.url.join(challenge.realm))
        is_ours = (realm.scheme, realm.host) == (self.url.scheme, self.url.host)
        credentials = self._credentials
        if credentials and not is_ours and realm.netloc.decode("ascii") != credentials.token_server:
            credentials = None
        headers = {} if credentials is None else {"authorization": credentials.header}
        scope = f"repository:{self._reference.repository}:{self._actions}"
        parameters = {"service": challenge.service} if challenge.service else {}
        asked = realm.copy_merge_params({**parameters, "scope": scope})
        async with self._client.stream("GET", asked, headers=headers) as response:
            answer = await _read(response, MAX_JSON_BYTES, None)
        if answer.status != 200:
            hint = ""
            if self._credentials and not credentials:
                named = f"{TOKEN_SERVER_VARIABLE}={printable(realm.netloc.decode('ascii'))}"
                hint = f"; {place(realm)} is another host, which gets no credentials unless {named} is set"
            raise RegistryError(f"the token server refuses access ({answer.status}){hint}")
        return f"Bearer {token_in(decoded(answer.body))}"

    def _checked(self, url: httpx.URL) -> httpx.URL:
        """An address that the registry sent us to, if we may go there."""
        is_allowed = url.scheme == "https" or (url.scheme == "http" and self.url.scheme == "http")
        stays = self._loopback or not is_loopback(url.host)
        remains = url.scheme == "https" or self._insecure or is_loopback(url.host)
        if not (is_allowed and stays and remains and url.host) or url.userinfo:
            raise RegistryError(f"the registry sends us to {place(url)}, where it must not")
        return url


async def _read(response: httpx.Response, limit: int, progress: Progress | None) -> Answer:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise RegistryError("the registry sends compressed data, which was not asked for")
    is_error = response.status_code >= 300
    most = MAX_JSON_BYTES if is_error else limit
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most:
            raise RegistryError(f"the registry sends more than {most} bytes")
        if progress and not is_error:
            progress(len(body), limit)
    return Answer(response.status_code, response.headers, bytes(body))


def decoded(data: bytes) -> Any:
    """The JSON value in an answer. Raises RegistryError."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise RegistryError("the registry's answer is not JSON") from None


def refusal(answer: Answer) -> RegistryError:
    """What a registry says about a request that it did not carry out."""
    try:
        found = decoded(answer.body)
        text = "; ".join(str(error.get("message") or error.get("code")) for error in found["errors"])
    except (RegistryError, AttributeError, KeyError, TypeError):
        text = ""
    said = f": {printable(text[:MAX_SHOWN_CHARACTERS])}" if text else ""
    return RegistryError(f"the registry answers {answer.status}{said}")
