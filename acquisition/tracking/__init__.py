"""Where the tip is: tools calibrated, patients registered, the delay of the counts; and their files."""
