"""After the cut: what is left in the bed, and what lies in the tray."""
