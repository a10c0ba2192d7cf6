"""Where the tip is on its tool, and which way it looks: from a tool that is turned in place."""
