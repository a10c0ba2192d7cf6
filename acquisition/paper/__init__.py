"""Reports on paper: what one says, laid out once, and written as HTML and as PDF/A."""
