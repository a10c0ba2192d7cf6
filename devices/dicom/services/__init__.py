"""What the node does for consoles: verification, storage, storage commitment (PS3.4, PS3.7)."""
