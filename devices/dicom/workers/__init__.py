"""The node's other processes, each of which serves associations on a core of its own."""
