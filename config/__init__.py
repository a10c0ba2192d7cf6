"""The site file: its schema, and the TOML that ships."""
