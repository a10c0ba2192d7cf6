"""What keeps the service from starting."""


class ServiceError(Exception):
    """Raised when the service cannot start; the message says what to do."""
