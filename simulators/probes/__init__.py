"""Simulated count-rate instruments that speak the real byte protocols."""
