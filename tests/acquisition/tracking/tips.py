"""What ``acquire tool`` writes, as tests find it laid down."""

from datetime import datetime, timedelta

import numpy as np

from acquisition.tracking.tip_file import TipCalibration
from simulators.theatre import TOOL_FROM_TIP


def tip_calibration(calibrated_at: datetime, *, serial: str = "") -> TipCalibration:
    """Make the calibration of the simulated probe's tip, which holds for thirty days."""
    return TipCalibration(
        tool="Probe",
        serial=serial,
        tracker="camera",
        tracker_identity="",
        is_simulated=True,
        calibrated_at=calibrated_at,
        expires_at=calibrated_at + timedelta(days=30),
        tool_from_tip=TOOL_FROM_TIP.matrix.tolist(),
        tip_covariance_mm2=(0.01 * np.eye(3)).tolist(),
        results=[{"name": "pivot", "passed": True}],
    )
