"""Downloads under way: each sends the chunks of one blob to an actor, in order and in a thread of its own."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

from host.codec import encode
from host.codec.blobstore import CAPABILITY, OP_RECEIVE_CHUNK, FileChunk
from host.logs import sparing
from host.providers.base import Dispatcher, ProviderError, reason
from host.providers.blobstore.storage import Layout, Reader, shown
from host.providers.patience import Patience


class Downloads:
    """The downloads of one actor, `most` at a time."""

    def __init__(self, actor: str, most: int) -> None:
        self.most = most
        self._actor = actor
        self._lock = threading.Lock()
        self._running = 0
        self._ended = threading.Event()

    def start(self, reader: Reader, chunk: FileChunk, layout: Layout, dispatcher: Dispatcher) -> None:
        """Send a blob from the chunk of that number on; an empty blob is one chunk without bytes. Closes the reader.

        Raises ProviderError if too many are running.
        """
        try:
            self._enter()
            try:
                threading.Thread(
                    target=self._run,
                    args=(reader, chunk, layout, dispatcher),
                    name=f"download for {self._actor}",
                    daemon=True,
                ).start()
            except RuntimeError as error:
                self._leave()
                raise ProviderError("the system has no thread for a download") from error
        except BaseException:
            reader.close()
            raise

    def end(self) -> None:
        """Send nothing more."""
        self._ended.set()

    def _enter(self) -> None:
        with self._lock:
            if self._running >= self.most:
                raise ProviderError(f"{self._running} downloads are under way already")
            self._running += 1

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1

    def _run(self, reader: Reader, chunk: FileChunk, layout: Layout, dispatcher: Dispatcher) -> None:
        try:
            for sequence_no in range(chunk.sequence_no, max(layout.chunks, 1)):
                if self._ended.is_set():
                    return
                data = reader.read(layout.offset(sequence_no), layout.length(sequence_no))
                sent = encode(replace(chunk, sequence_no=sequence_no, chunk_bytes=data))
                self._hand_over(dispatcher, sent)
        except Exception as error:  # of the storage, or whatever the actor does with a chunk
            if not self._ended.is_set():
                title = shown(chunk.container, chunk.id)
                sparing.log(
                    logging.ERROR, "%s: the download of %s for %s ended: %s", CAPABILITY, title, self._actor,
                    reason(error),
                )  # fmt: skip
        finally:
            reader.close()
            self._leave()

    def _hand_over(self, dispatcher: Dispatcher, chunk: bytes) -> None:
        patience = Patience()
        while not self._ended.is_set():
            try:
                dispatcher.dispatch(self._actor, OP_RECEIVE_CHUNK, chunk)
                return
            except Exception as error:
                pause = patience.pause_after(error)
                if pause is None:
                    raise
            self._ended.wait(pause)
