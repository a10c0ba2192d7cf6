"""Text in OpenIGTLink's fields of a fixed size: filled up with NUL."""


def fill(text: str, size: int) -> bytes:
    """Encode as UTF-8; ``ValueError`` where it does not fit, for a name that is cut off is another name."""
    raw = text.encode()
    if len(raw) > size:
        raise ValueError(f"{text!r} does not fit into {size} bytes")
    return raw.ljust(size, b"\0")


def read_text(field: bytes) -> str:
    """Decode what stands before the first NUL; what is no UTF-8 becomes replacement characters."""
    return field.split(b"\0", 1)[0].decode("utf-8", errors="replace").rstrip()
