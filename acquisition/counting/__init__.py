"""Timed counts at a bench: of anything, of nothing, and of specimens beside the hottest of them."""
