"""The steps in a row: what they make of a design in advance, and of its trained network."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from evonas.compression import STEPS
from evonas.compression.step import Compressed, Section, Step, StepKit
from evonas.errors import BuildError
from evonas.models import Network, count, initialise
from evonas.networks import planned as plan_of
from evonas.networks.plan import Plan
from evonas.settings import CompressionSettings
from evonas.training.attachment import Attachment

After = Callable[[str, Compressed], None]  # told of a step's name and of what it made


def taken(settings: CompressionSettings) -> Iterator[tuple[str, Step]]:
    """The steps that the settings ask for with their names, in their order."""
    return ((name, step) for name, step in STEPS.items() if step.is_on(settings))


def made_after(settings: CompressionSettings) -> list[str]:
    """Names of the steps that make something of the trained network."""
    return [name for name, step in taken(settings) if not step.acts_in_training]


def changes_training(settings: CompressionSettings) -> dict[str, Any]:
    """What makes the training another one: equal for designs whose training is the same."""
    during = {name for name, step in taken(settings) if step.acts_in_training}
    return {name: values for name, values in settings.meant().items() if name in during}


def attachments(kit: StepKit) -> list[Attachment]:
    """What acts on the network while it is trained."""
    found = (step.attachment(kit) for _, step in taken(kit.settings))
    return [attachment for attachment in found if attachment is not None]


def until(settings: CompressionSettings, name: str) -> CompressionSettings:
    """The settings without the steps behind one."""
    names = [*CompressionSettings.model_fields]
    later = names[names.index(name) + 1 :]
    usual = CompressionSettings()
    return settings.model_copy(update={other: getattr(usual, other) for other in later})


def faults(settings: CompressionSettings) -> list[str]:
    """What contradicts itself in the settings, or is not to be had, in words."""
    missing = [
        f"compression.{name}.method={values['method']}: there is no such step. Leave it out."
        for name, values in settings.meant().items()
        if name not in STEPS
    ]
    found = (step.fault(settings) for _, step in taken(settings))
    return [*missing, *(fault for fault in found if fault is not None)]


def planned(section: Section, settings: CompressionSettings) -> Section:
    """The scaled network section of what is deployed.

    Raises:
        BuildError: The settings contradict each other, or a step does not fit this network.
    """
    wrong = faults(settings)
    if wrong:
        raise BuildError(wrong)
    for _, step in taken(settings):
        section = step.planned(section, settings)
    return section


def stored_bytes(plan: Plan, settings: CompressionSettings) -> int:
    """Bytes of the weights as they are shipped; `plan` is that of what is deployed."""
    sizes = [step.stored_bytes(plan, settings) for _, step in taken(settings)]
    told = [size for size in sizes if size is not None]
    return told[-1] if told else count(plan).parameters * plan.bits // 8


def compressed(network: nn.Module, kit: StepKit, after: After | None = None) -> Compressed:
    """What the steps make of a trained network, which they may change.

    Args:
        after: Called after each step that makes something of it.

    Raises:
        TrialFailure: A fine-tuning diverged.
        BuildError: A step does not fit this network.
    """
    made = Compressed(kit.section, network)
    for name in made_after(kit.settings):
        made = STEPS[name].applied(made, kit)
        if after is not None:
            after(name, made)
    return made


def deployable(
    section: Section,
    settings: CompressionSettings,
    seed: int = 0,
    outputs: Sequence[str] = (),
) -> nn.Module:
    """What would be deployed, with fresh weights: their values do not change its work.

    Args:
        section: The scaled section of what is trained.
        outputs: The parts that leave it, if not those of its plan.

    Raises:
        BuildError: As in `planned`.
    """
    section = planned(section, settings)
    plan = plan_of(section)
    network: nn.Module = Network(plan.giving(*outputs) if outputs else plan.as_deployed())
    initialise(network, seed, section.get("initialisation"))
    images = torch.randn(1, *plan.input_shape, generator=torch.Generator().manual_seed(seed))
    for _, step in taken(settings):
        network = step.untrained(network.eval(), images, settings)
    return network
