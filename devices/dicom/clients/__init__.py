"""What the node asks of others, as user (SCU) on pynetdicom: worklist, archive, destinations (PS3.4)."""
