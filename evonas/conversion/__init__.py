"""Weights of other programs on published networks.

`convert.convert` reads a file by `darknet_reader.read_darknet` and writes safetensors. A reader of
another program is such a function: of a file and a preset, it gives a `Conversion`.
"""
