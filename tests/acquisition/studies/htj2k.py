"""Three slices as High-Throughput JPEG 2000 code streams, which nothing installed here writes.

Made with OpenJPH 0.26.3 (imagecodecs 2026.3.6, ``htj2k_encode(slice, reversible=True, tlm=True, resolutions=2)``):
signed, 16 bits, lossless, progression RPCL.
"""

from base64 import b64decode

import numpy as np

_k, _r, _c = np.indices((3, 12, 10))
SLICES = (40 * _r + 25 * _c + 100 * _k - 500 + (_r * _c) % 7).astype(np.int16)
"""What they hold."""

STREAMS = (
    b64decode(
        "/0//UQApQAAAAAAKAAAADAAAAAAAAAAAAAAACgAAAAwAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAIEBEAB/1wACiCI"
        "kJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv9VAAoAYAAAAAAAkP+QAAoAAAAAAJAAAf+TwAAtIOWH2lg9ycGba8ABBbhC"
        "AX84AMAAE0AAFbAABMDo/ADolADCEJdG+0AggF50vZgAIAoHIbQAwAAtWAAFrwAAtIDV0JIQZTAHYxRJD/RXf+ZXAD996wARo2wl"
        "gTKAAMj5QRGAAAJvHQq/m49dAJvmGDmasnAAh9Q22Vd9P6RbAP/Z"
    ),
    b64decode(
        "/0//UQApQAAAAAAKAAAADAAAAAAAAAAAAAAACgAAAAwAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAIEBEAB/1wACiCI"
        "kJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv9VAAoAYAAAAAAAkP+QAAoAAAAAAJAAAf+TwAAtIB2zT2kY+POmhfIDBbgi"
        "AXi4AMAAE0AAFbAABMDo/ADolADCEJdG+0AggF50vZgAIAoHIbQAwAAtWAAFrwAAtIDV0JIQZTAHYxRJD/RXf+ZXAD996wARo2wl"
        "gTKAAMj5QRGAAAJvHQq/m49dAJvmGDmasnAAh9Q22Vd9P6RbAP/Z"
    ),
    b64decode(
        "/0//UQApQAAAAAAKAAAADAAAAAAAAAAAAAAACgAAAAwAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAIEBEAB/1wACiCI"
        "kJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv9VAAoAYAAAAAAAj/+QAAoAAAAAAI8AAf+TwAAtEFUiLi6SM1gRgQxLzAIA"
        "+zgAwAATQAAVsAAEwOj8AOiUAMIQl0b7QCCAXnS9mAAgCgchtADAAC1YAAWvAAC0gNXQkhBlMAdjFEkP9Fd/5lcAP33rABGjbCWB"
        "MoAAyPlBEYAAAm8dCr+bj10Am+YYOZqycACH1DbZV30/pFsA/9k="
    ),
)
