"""Data sets. A new one is a file with a reader, and a line in `readers.DATA_SETS`.

A reader takes (settings, resolution_px) and gives a `Source`. `cache.load_data` reads once,
keeps the decoded images in the user's cache and hands all workers the same memory-mapped file.
"""
