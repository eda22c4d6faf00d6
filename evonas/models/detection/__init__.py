"""Modules of detectors: what mixes maps of several strides, and what makes boxes of them."""
