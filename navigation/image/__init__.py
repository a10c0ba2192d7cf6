"""A live image of the activity from counts taken by hand."""
