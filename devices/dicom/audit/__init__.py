"""Who sent what, when, from where, and what was refused: the audit trail of PS3.15 A.5."""
