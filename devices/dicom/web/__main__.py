"""Starts the process that speaks DICOMweb: ``python -m devices.dicom.web LINE LISTENER``."""

import sys

# pydicom would load these for pixels, which nobody looks at here, and to fetch its examples, structlog the last
# for tracebacks in colour; where they are not there both do without: 43 MB
for _name in ("PIL", "gdcm", "numpy", "requests", "rich"):
    sys.modules[_name] = None  # type: ignore[assignment]

from devices.dicom.web.speaker import main  # noqa: E402

if __name__ == "__main__":
    main()
