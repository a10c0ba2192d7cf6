"""TLS for associations, as the secure connection profile of PS3.15 B.12 asks (BCP 195, RFC 9325)."""

import ssl

from devices.dicom.settings import PeerTls, TlsSettings

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 4.2); TLS 1.3 has no others."""


def server_context(settings: TlsSettings, *, kind: type[ssl.SSLContext] = ssl.SSLContext) -> ssl.SSLContext:
    """Make the node's side of TLS; where ``client_ca`` is given, a sender without its certificate is refused.

    ``kind`` is the class of what is made.

    Raises
    ------
    OSError
        Where a certificate or key cannot be read or does not belong to the other.

    """
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.client_ca is not None:
            context.load_verify_locations(settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as exc:
        files = ", ".join(str(path) for path in (settings.certificate, settings.key, settings.client_ca) if path)
        raise OSError(
            f"tls: {files}: {exc}: name certificates and key that can be read and belong together"
        ) from exc
    return context


def client_context(settings: PeerTls) -> ssl.SSLContext:
    """Make our side of TLS to a peer, whose certificate must be of its authority and bear its name.

    Raises
    ------
    OSError
        Where a certificate or key cannot be read or does not belong to the other.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        context.load_verify_locations(settings.ca)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except OSError as exc:
        files = ", ".join(str(path) for path in (settings.ca, settings.certificate, settings.key) if path)
        raise OSError(
            f"tls: {files}: {exc}: name certificates and key that can be read and belong together"
        ) from exc
    return context
