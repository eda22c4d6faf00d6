"""A trained network as a folder of files: what they say, and that they are as they were written."""
