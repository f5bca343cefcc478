"""The blob store: one set of semantics over the file system and S3-compatible storage."""

from host.providers.blobstore.providers import FileBlobStoreProvider, S3BlobStoreProvider

__all__ = ["FileBlobStoreProvider", "S3BlobStoreProvider"]
