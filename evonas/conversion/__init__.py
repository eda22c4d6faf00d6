"""Weights of other programs on published networks.

`convert.read_weights` takes a file to its reader, `darknet_reader.read_darknet` or
`state_dict_reader.read_state_dict`; a reader gives a `Conversion`. `proof.proved` compares what the
network gives with what the other program says, and `convert.convert` writes safetensors.
"""
