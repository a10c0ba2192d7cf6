"""The index of received objects: rows about files, made from the files, never the other way round."""
