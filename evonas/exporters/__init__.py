"""Network to files."""
