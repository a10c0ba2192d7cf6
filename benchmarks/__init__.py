"""One script for each claim, each beside its peers, each printing JSON."""
