"""DICOMweb (PS3.18) on the node's objects: a process of its own, which tells the node what happens there."""
