"""What a trial takes of the memory of its GPU, seen in its own process."""

import gc

import torch


def forget_peak() -> None:
    """Before a trial: what earlier ones took does not count."""
    if torch.cuda.max_memory_allocated():
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> tuple[float, float] | None:
    """After a trial: the most that tensors took, in MiB and as a share; None without a GPU.

    What is left over, and what the allocator holds back for later, goes to other processes.
    """
    peak = torch.cuda.max_memory_allocated()  # 0 in a process that has not begun to use a GPU
    if not peak:
        return None
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return peak / 2**20, peak / total
