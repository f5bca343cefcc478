"""The HTTP client: requests that actors make, to the places that their binding allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import httpx

from host.codec.http import CAPABILITY_CLIENT, OP_PERFORM_REQUEST, Request, Response
from host.logs import printable
from host.providers.base import Provider, ProviderError, distribution_version, reason
from host.providers.http_deadline import new_client, time_left, until
from host.providers.http_fields import BODY_BYTES, FIELD_VALUE, HOP_BY_HOP, TOKEN, joined
from host.providers.values import IntegerValue, TextValue

ALLOW = TextValue("allow")
TIMEOUT = IntegerValue("timeout", 30, 1, 3600)
MAX_REDIRECTS = IntegerValue("max_redirects", 10, 0, 100)
MAX_BODY_BYTES = IntegerValue("max_body_bytes", *BODY_BYTES)
PORTS = {"http": 80, "https": 443}
ANYWHERE = "*"
SUBDOMAINS = "*."
REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})
"""Methods that are about the way and not about the place."""

FRAMING = HOP_BY_HOP | {"content-length", "host", "proxy-authorization"}
"""Headers that follow from the address and the body, or concern one connection: the client writes them itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """A scheme, host and port that requests may go to; `subdomains` means those of the host instead."""

    scheme: str
    host: str
    port: int
    subdomains: bool = False

    @classmethod
    def of(cls, text: str) -> Place:
        """The place that an entry of the value `allow` names. Raises ProviderError."""
        scheme, separator, rest = text.partition("://")
        subdomains = rest.startswith(SUBDOMAINS)
        try:
            url = httpx.URL(f"{scheme}://{rest.removeprefix(SUBDOMAINS)}")
        except httpx.InvalidURL:
            url = httpx.URL()
        plain = url.path in ("", "/") and not (url.query or url.fragment or url.userinfo)
        if not (separator and url.scheme in PORTS and url.host and ANYWHERE not in url.host and plain):
            raise ProviderError(
                f"{ALLOW}: '{without_secrets(text)}' is no place like https://api.example.com, https://*.example.com "
                f"or http://localhost:8080, nor {ANYWHERE} for any"
            )
        return cls(url.scheme, url.host, url.port or PORTS[url.scheme], subdomains)

    def has(self, url: httpx.URL) -> bool:
        """Whether an address is in this place."""
        if (url.scheme, url.port or PORTS[url.scheme]) != (self.scheme, self.port):
            return False
        return url.host.endswith(f".{self.host}") if self.subdomains else url.host == self.host


@dataclass(frozen=True, slots=True)
class Settings:
    """Where requests may go, None for anywhere, and within which limits; `docs/providers/http_client.md`. `timeout` is
    in seconds, for a request with all its redirects."""

    allow: tuple[Place, ...] | None
    timeout: int
    max_redirects: int
    max_body_bytes: int

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Settings:
        """The settings that these configuration values say. Raises ProviderError for one that has no meaning."""
        entries = ALLOW.of(values).replace(",", " ").split()
        return cls(
            None if ANYWHERE in entries else tuple(map(Place.of, entries)),
            TIMEOUT.of(values),
            MAX_REDIRECTS.of(values),
            MAX_BODY_BYTES.of(values),
        )

    def check(self, url: httpx.URL) -> None:
        """Raises ProviderError unless requests may go there."""
        if url.scheme not in PORTS or not url.host or url.userinfo:
            raise ProviderError(f"'{shown(url)}' is no address like http://host/path or https://host/path")
        if self.allow is not None and not any(place.has(url) for place in self.allow):
            place = f"{url.scheme}://{url.netloc.decode('ascii')}"
            raise ProviderError(
                f"the binding does not allow {printable(place)}: its value {ALLOW} would have to name it"
            )


class HttpClientProvider(Provider):
    """Carries out the requests of actors; `docs/providers/http_client.md`."""

    capability = CAPABILITY_CLIENT
    name = "Default waSCC HTTP Client Provider"
    long_description = "Makes HTTP requests for actors, to the places that their bindings allow."
    value_names = frozenset({ALLOW, TIMEOUT, MAX_REDIRECTS, MAX_BODY_BYTES})

    def __init__(self) -> None:
        super().__init__()
        self._bound: dict[str, tuple[Settings, httpx.Client]] = {}
        self.route(OP_PERFORM_REQUEST, Request, self._perform, "Makes an HTTP request")

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Each actor has connections of its own."""
        settings, bound = Settings.of(values), self._bound.get(actor)
        if bound is None:
            headers = {"user-agent": f"wascc/{distribution_version()}", "accept-encoding": "identity"}
            client = new_client(headers)
        else:
            client = bound[1]
        self._bound[actor] = settings, client

    def unbind(self, actor: str) -> None:
        """Close the actor's connections; a request that is on its way fails."""
        _, client = self._bound.pop(actor)
        client.close()

    def _perform(self, actor: str, request: Request) -> Response:
        bound = self._bound.get(actor)
        if bound is None:
            raise self.not_bound(actor)
        settings, client = bound
        try:
            return perform(client, settings, request)
        except httpx.TimeoutException as error:
            raise ProviderError(f"{where(request)}: no answer within {settings.timeout} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError, UnicodeError) as error:
            raise ProviderError(f"{where(request)}: {reason(error)}") from error


def perform(client: httpx.Client, settings: Settings, request: Request) -> Response:
    """Make a request, and those that redirections lead to. Raises ProviderError, httpx.HTTPError, httpx.InvalidURL."""
    with until(monotonic() + settings.timeout):
        return _followed(client, settings, request)


def _followed(client: httpx.Client, settings: Settings, request: Request) -> Response:
    url = httpx.URL(address(request))
    settings.check(url)
    following: httpx.Request | None = client.build_request(
        method(request), url, headers=headers_of(request.header), content=request.body or None
    )
    for _ in range(settings.max_redirects + 1):
        if following is None:
            break
        settings.check(following.url)
        following.extensions = {"timeout": {"pool": time_left(httpx.PoolTimeout)}}
        response = client.send(following, stream=True, follow_redirects=False)
        try:
            following = response.next_request
            if following is None or settings.max_redirects == 0:
                return answer(response, settings)
        finally:
            response.close()
    raise ProviderError(f"{where(request)}: more than {settings.max_redirects} redirections")


def answer(response: httpx.Response, settings: Settings) -> Response:
    """The message of a response, whose body is read here. Raises ProviderError, httpx.TimeoutException."""
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > settings.max_body_bytes:
            raise ProviderError(f"the response has more than {settings.max_body_bytes} bytes")
    header = joined(response.headers.multi_items())
    return Response(response.status_code, response.reason_phrase, header, bytes(body))


def address(request: Request) -> str:
    """The whole URL, which the path has; a query string is added to it."""
    if not request.query_string:
        return request.path
    return f"{request.path}{'&' if '?' in request.path else '?'}{request.query_string}"


def method(request: Request) -> str:
    """The method, if it is one for a client. Raises ProviderError."""
    if not TOKEN.fullmatch(request.method) or request.method.upper() in REFUSED_METHODS:
        raise ProviderError(f"'{printable(request.method)}' is no method for a request")
    return request.method


def headers_of(header: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers that are sent. Raises ProviderError."""
    found = []
    for name, value in header.items():
        if not TOKEN.fullmatch(name) or not FIELD_VALUE.fullmatch(value):
            raise ProviderError(f"the header '{printable(name)}' has characters that HTTP does not allow")
        if name.lower() not in FRAMING:
            found.append((name.encode("ascii"), value.encode("latin-1")))
    return found


def shown(url: httpx.URL) -> str:
    """A URL without a password."""
    return printable(str(url.copy_with(userinfo=b"") if url.userinfo else url))


def where(request: Request) -> str:
    """What a request is called in an error."""
    return f"{printable(request.method)} {without_secrets(request.path)}"


def without_secrets(url: str) -> str:
    """What is to be a URL, printable, and without its user, password and query."""
    return printable(re.sub("//[^/]*@", "//", url.partition("?")[0]))
