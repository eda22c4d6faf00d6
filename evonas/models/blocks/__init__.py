"""Blocks: what a stage repeats, as `networks.stages.blocks` says. A file each."""
