"""The values of bindings to S3-compatible storage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from host.logs import printable
from host.providers.base import ProviderError
from host.providers.values import IntegerValue, TextValue

DEFAULT_REGION = "us-east-1"
REGION = TextValue("REGION", DEFAULT_REGION)
ENDPOINT, BUCKET_PREFIX, UPLOADS = TextValue("ENDPOINT"), TextValue("BUCKET_PREFIX"), TextValue("UPLOADS")
TIMEOUT = IntegerValue("TIMEOUT", 30, 1, 3600)
ACCESS_KEY, SECRET_KEY = TextValue("AWS_ACCESS_KEY"), TextValue("AWS_SECRET_ACCESS_KEY")
TOKEN, TOKEN_VALID_FOR = TextValue("AWS_TOKEN"), IntegerValue("TOKEN_VALID_FOR", 0, 1, 2**31)
S3_VALUES = frozenset(
    {REGION, ENDPOINT, BUCKET_PREFIX, UPLOADS, TIMEOUT, ACCESS_KEY, SECRET_KEY, TOKEN, TOKEN_VALID_FOR}
)

_PREFIX = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]|\.(?!\.)){0,60})?", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class S3Settings:
    """What a binding says: `endpoint` None is Amazon's, `uploads` None a temporary folder, `token_valid_for` None for
    ever; times are in seconds. `credentials` are arguments of a boto3 session, none for those of the environment."""

    region: str
    endpoint: str | None
    bucket_prefix: str
    uploads: str | None
    timeout: int
    token_valid_for: int | None
    credentials: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, values: Mapping[str, str]) -> S3Settings:
        """The settings. Raises ProviderError, in which no secret stands."""
        return cls(
            region=_region(values),
            endpoint=_endpoint(values),
            bucket_prefix=_prefix(values),
            uploads=values.get(UPLOADS),
            timeout=TIMEOUT.of(values),
            token_valid_for=TOKEN_VALID_FOR.of(values) or None,
            credentials=_credentials(values),
        )


def _region(values: Mapping[str, str]) -> str:
    region = REGION.of(values)
    if not _REGION.fullmatch(region):
        raise ProviderError(f"{REGION} '{printable(region)}' is no region")
    return region


def _prefix(values: Mapping[str, str]) -> str:
    prefix = BUCKET_PREFIX.of(values)
    if not _PREFIX.fullmatch(prefix):
        raise ProviderError(f"{BUCKET_PREFIX} '{printable(prefix)}' cannot begin the name of a bucket")
    return prefix


def _endpoint(values: Mapping[str, str]) -> str | None:
    endpoint = values.get(ENDPOINT)
    if not endpoint:
        return None
    try:
        parts = urlsplit(endpoint)
        is_fit = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_fit = False
    if not is_fit or "@" in endpoint or "?" in endpoint or "#" in endpoint:
        # The value is not shown: there may be a password in it.
        raise ProviderError(f"{ENDPOINT} must be like https://storage.example.com, without a user, query or fragment")
    return endpoint


def _credentials(values: Mapping[str, str]) -> Mapping[str, str]:
    names = {ACCESS_KEY: "aws_access_key_id", SECRET_KEY: "aws_secret_access_key", TOKEN: "aws_session_token"}
    given = {name: values[name] for name in names if values.get(name)}
    if given and not given.keys() >= {ACCESS_KEY, SECRET_KEY}:
        raise ProviderError(f"{ACCESS_KEY} and {SECRET_KEY} must both be given, or neither, and {TOKEN} only with them")
    if TOKEN_VALID_FOR in values and TOKEN not in given:
        raise ProviderError(f"{TOKEN_VALID_FOR} is for an {TOKEN}, and there is none")
    return {names[name]: text for name, text in given.items()}
