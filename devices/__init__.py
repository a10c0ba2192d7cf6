"""Whatever speaks over a wire: the only rooms that know bytes and vendors."""
