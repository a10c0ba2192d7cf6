"""What a number of counts says: rates, limits, ratios, sequential tests."""
