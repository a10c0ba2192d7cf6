"""What others would do with the same counts: each peer localises a scene's targets, knowing only its header."""
