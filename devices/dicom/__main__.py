"""Starts the storage node: ``python -m devices.dicom``."""

import sys

# where rich is installed structlog imports it for tracebacks in colour, which nobody sees here: 4 MB
sys.modules["rich"] = None  # type: ignore[assignment]

from devices.dicom.node import main  # noqa: E402

if __name__ == "__main__":
    main()
