"""What the machine says: latency under a fixed protocol, memory, and which machine it was.

Which machine it is can be asked without torch.
"""
