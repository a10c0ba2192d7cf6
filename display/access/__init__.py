"""Who may look, who may act: tokens of displays, persons who sign in, and what each of them may ask for."""
