"""What spans say of requests and calls, in the words of OpenTelemetry's semantic conventions where they have some.

Neither payloads nor queries nor texts of errors are in a span: all of them may hold secrets.
"""

from __future__ import annotations

from opentelemetry.semconv.attributes.client_attributes import CLIENT_ADDRESS
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE
from opentelemetry.semconv.attributes.network_attributes import NETWORK_PROTOCOL_VERSION
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.semconv.attributes.url_attributes import URL_PATH, URL_SCHEME
from opentelemetry.trace import Span, Status, StatusCode

from host.asgi import Scope
from host.entities import ActorEntity
from host.invocation import Invocation, InvocationResponse
from host.logs import printable

RPC_SYSTEM, RPC_SERVICE, RPC_METHOD = "rpc.system", "rpc.service", "rpc.method"
SYSTEM = "wascc"
ORIGIN, BINDING, INVOCATION_ID = "wascc.origin", "wascc.binding", "wascc.invocation.id"

MAX_CHARACTERS = 256
"""How much of a text that guests and clients choose is in a span."""
KNOWN_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
OTHER = "_OTHER"

Attributes = dict[str, str | int]


def request_name(scope: Scope) -> str:
    """What the span of a request is called: its method, or HTTP where that is none that is known."""
    method: str = scope["method"]
    return method if method in KNOWN_METHODS else "HTTP"


def request_attributes(scope: Scope) -> Attributes:
    """What is known when a request comes in."""
    method: str = scope["method"]
    found: Attributes = {
        HTTP_REQUEST_METHOD: method if method in KNOWN_METHODS else OTHER,
        URL_PATH: _short(scope["raw_path"].decode("latin-1").partition("?")[0]),
        URL_SCHEME: scope["scheme"],
        NETWORK_PROTOCOL_VERSION: scope["http_version"],
    }
    if scope.get("server"):
        found[SERVER_ADDRESS], found[SERVER_PORT] = scope["server"][0], scope["server"][1] or 0
    if scope.get("client"):
        found[CLIENT_ADDRESS] = scope["client"][0]
    return found


def note_status(span: Span, status: int | None) -> None:
    """Say how a request was answered, None if it was not."""
    if status is None:
        note_failure(span, OTHER)
        return
    span.set_attribute(HTTP_RESPONSE_STATUS_CODE, status)
    if status >= 500:
        note_failure(span, str(status))


def call_name(invocation: Invocation) -> str:
    """What the span of a call is called: `actor/<operation>` or `<capability id>/<operation>`."""
    target = invocation.target
    service = "actor" if isinstance(target, ActorEntity) else target.capability_id
    return f"{service}/{_short(invocation.operation)}"


def call_attributes(invocation: Invocation) -> Attributes:
    """Who calls whom for what."""
    target = invocation.target
    found: Attributes = {
        RPC_SYSTEM: SYSTEM,
        RPC_SERVICE: target.public_key if isinstance(target, ActorEntity) else target.capability_id,
        RPC_METHOD: _short(invocation.operation),
        ORIGIN: invocation.origin_url,
        INVOCATION_ID: invocation.id,
    }
    if not isinstance(target, ActorEntity):
        found[BINDING] = target.binding
    return found


def note_response(span: Span, response: InvocationResponse) -> None:
    """Say whether a call failed, and with what kind of error."""
    if response.error is not None:
        note_failure(span, type(response.cause).__name__ if response.cause else OTHER)


def note_failure(span: Span, kind: str) -> None:
    """Say that it failed, with an error of this kind."""
    span.set_attribute(ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))


def _short(text: str) -> str:
    return printable(text[:MAX_CHARACTERS])
