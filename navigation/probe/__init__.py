"""How a probe answers to activity: its calibrated response, and what that still gets wrong."""
