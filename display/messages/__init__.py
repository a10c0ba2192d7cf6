"""The feed's messages, and those of the requests beside it: the only words between service and page."""
