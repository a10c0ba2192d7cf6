"""Where the sources are: joint fit, search everywhere, evidence."""
