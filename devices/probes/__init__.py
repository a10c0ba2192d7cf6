"""Count-rate instruments on serial lines, one file for each family."""
