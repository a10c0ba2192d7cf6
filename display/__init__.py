"""What people look at: the live feed, the HTTP routes and the page."""
