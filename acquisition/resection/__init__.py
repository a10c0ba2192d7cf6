"""After the excision: what was taken out, what is counted over its bed and of its specimen, and what that says."""
