"""What is done with what devices deliver: counting, calibration, studies into volumes, synchronising."""
