"""Simulated position trackers that speak the real wire protocols."""
