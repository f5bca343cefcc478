"""The exporter of spans: OpenTelemetry's by OTLP over HTTP, which tells once that it fails, and once that it works."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextvars import ContextVar

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from host.logs import log, printable
from host.middleware.tracing.settings import Settings

_told: ContextVar[list[str] | None] = ContextVar("_told", default=None)
"""What the library has logged in the export that the thread is at."""


class _Withheld(logging.Filter):
    """Keeps what the library logs in an export of ours from the log, and leaves those of the rest of the program."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = _told.get()
        if told is None:
            return True
        told.append(record.getMessage())
        return False


_withheld = _Withheld()
logging.getLogger(OTLPSpanExporter.__module__).addFilter(_withheld)


class Exporter(SpanExporter):
    """Exports as the settings say."""

    def __init__(self, settings: Settings) -> None:
        self._exporter = OTLPSpanExporter(
            endpoint=settings.endpoint, headers=dict(settings.headers), timeout=settings.export_timeout
        )
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans, with the library's repetitions; called by one thread at a time."""
        reasons: list[str] = []
        token = _told.set(reasons)
        try:
            result = self._exporter.export(spans)
        finally:
            _told.reset(token)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            log.warning(
                "Traces are not exported: %s", printable(reasons[0] if reasons else "the collector refuses them")
            )
        elif self._is_failing and not is_failing:
            log.info("Traces are exported again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        """Give up what is being exported."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return self._exporter.force_flush(timeout_millis)
