"""What is learnt: how images are varied, what a training makes small, how networks are scored."""
