"""What the display's server answers over HTTP beside the page and the feed."""
