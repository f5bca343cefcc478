"""A real collector of traces: a server of OTLP over HTTP, which decodes what it gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector(ThreadingHTTPServer):
    """A collector of OTLP over HTTP. `answers` are the statuses of the next requests, 200 after them."""

    def __init__(self) -> None:
        self.got: list[ExportTraceServiceRequest] = []
        self.requests: list[dict[str, str]] = []
        self.answers: list[int] = []
        self.delay = 0.0
        super().__init__(("127.0.0.1", 0), CollectorHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def names(self) -> list[str]:
        return [
            span.name
            for request in self.got
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class CollectorHandler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        server.requests.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
        time.sleep(server.delay)
        status = server.answers.pop(0) if server.answers else 200
        if status == 200 and self.path == "/v1/traces":
            server.got.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that runs."""
    with Collector() as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
