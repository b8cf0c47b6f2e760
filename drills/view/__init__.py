"""What a terminal shows while drills run: a view drawn anew on a terminal, lines elsewhere."""
