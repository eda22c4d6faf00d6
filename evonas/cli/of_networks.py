"""Commands on what can be searched and on published networks."""

from pathlib import Path
from typing import Annotated

import typer

from evonas.cli.command import Json, Words, say
from evonas.errors import EvonasError, SettingsError
from evonas.reports.escape import tell


def spaces(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them, or the path of a file.")
    ] = None,
    words: Words = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Show so many designs drawn by run.seed.")
    ] = None,
    json: Json = False,
) -> None:
    """List the search spaces, or show one of them.

    Words may set constraints.* on counted measures, full.*, measure.scale and run.seed.
    """
    if name is None and sample is not None:
        raise SettingsError("--sample draws from one space. Write evonas spaces NAME --sample 3.")
    from evonas.evaluation.space_figures import space_summary, spaces_summary
    from evonas.reports.spaces import print_space, print_spaces
    from evonas.space import known_parts, known_spaces, load_part, load_space

    if name is not None:
        say(space_summary(name, words or [], sample), json, print_space)
        return
    found = []
    loaders = {
        **dict.fromkeys(known_spaces(), load_space),
        **dict.fromkeys(known_parts(), load_part),
    }
    for known, load in loaders.items():
        try:
            found.append(spaces_summary(load(known)))
        except EvonasError as error:  # one damaged file must not hide the others
            tell(str(error))
    say(found, json, print_spaces)


def models(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them.")] = None,
    input: Annotated[
        str | None, typer.Option(metavar="CxHxW", help="Count at this input, as in 3x96x96.")
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Count with so many classes.")] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Show each layer: output, counts, receptive field.")
    ] = False,
    json: Json = False,
) -> None:
    """List the published networks, or count one of them."""
    if table and name is None:
        raise SettingsError("--table shows one network. Write evonas models NAME --table.")
    from evonas.presets import preset, presets
    from evonas.reports.models import model_summary, print_model, print_model_table, print_models

    if name is None:
        found = [model_summary(each, input, classes) for each in presets().values()]
        say(found, json, print_models)
    else:
        summary = model_summary(preset(name), input, classes, with_layers=table)
        say(summary, json, print_model_table if table else print_model)


def weights(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A state dict, safetensors, or a weights file of Darknet."
        ),
    ],
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="The published network that they are of.")
    ],
    to: Annotated[
        Path, typer.Option(metavar="FILE.safetensors", help="The file to write; must be new.")
    ],
    classes: Annotated[
        int | None, typer.Option(min=1, help="How many they tell apart, if not as published.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NUMBERS",
            help="What proves them: what their own program gives for the example image, or a "
            "fingerprint.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Read weights of other programs onto a published network.

    State dicts of torch (torchvision, timm and others) are read without running what is in them,
    and put where they belong by order, shape and role. With --output they are proved: numbers, a
    .npy or a .json file of what their program gives for torch.linspace(-1, 1, count).reshape(1,
    channels, height, width) in evaluation mode. A file of Darknet that ends behind some of the
    convolutions, such as darknet53.conv.74, is read as far as it goes. A training begins with what
    is written by training.weights=FILE.safetensors.
    """
    from evonas.conversion.convert import convert
    from evonas.reports.models import print_conversion

    say(convert(file, preset, to, classes, output), json, print_conversion)
