"""What is believed of the targets, computed beside the service: what that process is told, asked, and answers."""
