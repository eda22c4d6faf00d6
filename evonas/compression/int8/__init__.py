"""Computing in 8 bits: static, and with a training that knows of it, by one mechanism.

`traced_graph`: a network as operations that can be rewritten. `folding`: without norms.
`kernel_places`: which tensors have 8 bits. `ranges`: what they reach from and to. `fake`: the
rewritten graph. `quantised`: all of that in a row. `methods`: for the step `quantisation`.
"""
