"""One trial to one outcome. `objectives` says what is measured, `evaluators` says how.

What reads a run needs the objectives alone: they load without torch.
"""
