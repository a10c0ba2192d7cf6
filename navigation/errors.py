"""What navigation raises; each error carries its evidence as attributes."""


class NavigationError(ValueError):
    """Raised when numbers or frames do not allow the asked-for result."""


class FrameMismatch(NavigationError):
    """Raised when two transforms are joined whose inner frames differ."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"cannot join {left} and {right}: the inner frames differ")
        self.left = left
        self.right = right


class PoseGap(NavigationError):
    """Raised when a pose is asked for at a time that no two close enough poses enclose."""

    def __init__(self, message: str, *, gap_s: float) -> None:
        super().__init__(message)
        self.gap_s = gap_s


class BadReading(NavigationError):
    """Raised when a reading holds what no instrument measures; names the field, its row and its value."""

    def __init__(self, message: str, *, name: str, row: int, value: float | list[float]) -> None:
        super().__init__(message)
        self.name = name
        self.row = row
        self.value = value
