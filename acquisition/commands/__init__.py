"""The subcommands of ``radionav`` that ask other nodes and keep the received objects in order.

They never read the site file: the composition root hands each the means to find what it needs in it.
"""
