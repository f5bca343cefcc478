"""TLS of providers that are clients of a server: the values that name files, and what is made of them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from host.providers.base import ProviderError
from host.providers.values import TextValue, checked_file, unusable_file

TLS_CA, TLS_CERTIFICATE, TLS_KEY = TextValue("TLS_CA"), TextValue("TLS_CERTIFICATE"), TextValue("TLS_KEY")
CLIENT_TLS_VALUES = frozenset({TLS_CA, TLS_CERTIFICATE, TLS_KEY})


def client_tls_files(values: Mapping[str, str]) -> dict[str, str]:
    """The paths among a binding's values: of the authorities to trust, of a certificate of the client, of its key.

    Raises ProviderError for a path of no file, and for a key without a certificate.
    """
    files: dict[str, str] = {name: values[name] for name in (TLS_CA, TLS_CERTIFICATE, TLS_KEY) if name in values}
    if TLS_KEY in files and TLS_CERTIFICATE not in files:
        raise ProviderError(f"{TLS_KEY} needs {TLS_CERTIFICATE}")
    for name, path in files.items():
        checked_file(name, path)
    return files


def client_tls_context(files: Mapping[str, str]) -> ssl.SSLContext:
    """A context that trusts these authorities, or those of the system, and checks the server's name.

    Raises ProviderError for a file that cannot be used; a key that is encrypted is one.
    """
    name = TLS_CA
    try:
        context = ssl.create_default_context(cafile=files.get(TLS_CA))
        if TLS_CERTIFICATE in files:
            name = TLS_CERTIFICATE
            # Without this function the library would ask whoever sits at the terminal for the key's password.
            context.load_cert_chain(files[TLS_CERTIFICATE], files.get(TLS_KEY), password=lambda: "")
    except (OSError, ValueError) as error:
        raise unusable_file(name, files.get(name, "the authorities of the system"), error) from error
    return context
