"""Commands that write a winner as a model folder and put it to use."""

from pathlib import Path
from typing import Annotated, Any

import typer

from evonas.cli.command import Json, Trust, Words, if_stopped, say
from evonas.errors import SettingsError
from evonas.reports.escape import tell


def names(text: str) -> list[str] | int:
    """What stands between commas; a whole number alone is one."""
    return int(text) if text.isdigit() else [name.strip() for name in text.split(",")]


def numbers(text: str) -> list[float]:
    """The numbers between commas."""
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f'"{text}": write numbers with commas between.') from None


ModelFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder that evonas export wrote.")
]


def latency(
    model: Annotated[
        str,
        typer.Argument(
            metavar="DIR|PRESET",
            help="A folder that evonas export wrote, or a name that evonas models lists.",
        ),
    ],
    words: Words = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Measure a model on this device, in turns with a fixed reference network.

    Words may set latency.*, as in latency.runtime=torch, and of a published network
    full.resolution_px and full.width. Torch's runtimes run model.py of the folder.
    """
    from evonas.delivery.measure import latency_summary
    from evonas.reports.latency_table import print_latency

    say(latency_summary(model, words or [], trust), json, print_latency)


def export(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run's name under runs/, or its folder.")
    ] = None,
    *,
    to: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write; must be new or empty.")
    ],
    words: Words = None,
    pick: Annotated[
        str,
        typer.Option(
            metavar="knee|best|balanced|NUMBER",
            help="Which design: that which gives up least of everything, the best of the first "
            "objective, or that whose worst objective is least bad.",
        ),
    ] = "knee",
    all_front: Annotated[
        bool, typer.Option("--all-front", help="All designs of the front, a folder each.")
    ] = False,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="LIMITS",
            help="Only designs within limits, as in accuracy.min=0.97,latency_ms.max=2.",
        ),
    ] = None,
    scale: Annotated[
        str,
        typer.Option(metavar="full|proxy", help="full: fresh weights; proxy: the trained ones."),
    ] = "full",
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A published network, in place of a design of a run."),
    ] = None,
    input: Annotated[
        str | None, typer.Option(metavar="CxHxW", help="Of --preset: its images, as in 3x96x96.")
    ] = None,
    classes: Annotated[
        Any,
        typer.Option(
            metavar="N|NAMES",
            parser=names,
            help="Of --preset: how many, or their names, as in cat,dog.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of --preset: what evonas weights reads or has written."),
    ] = None,
    mean: Annotated[
        Any,
        typer.Option(
            metavar="NUMBERS",
            parser=numbers,
            help="By which images of --weights were normalised, as in 0.485,0.456,0.406.",
        ),
    ] = None,
    deviation: Annotated[
        Any,
        typer.Option(metavar="NUMBERS", parser=numbers, help="Likewise, as in 0.229,0.224,0.225."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a design or a published network as a model folder.

    The folder holds plain torch source, weights, ONNX, recipe, check and card; of a detector, ONNX
    with non-maximum suppression inside as well. Words make the design larger or smaller than the
    search had it: full.width=1.4, full.resolution_px=224, full.phi=1, of cells full.filters=32
    full.repeats=6.
    """
    from evonas.delivery.export import export as exported
    from evonas.delivery.export_front import export_front
    from evonas.delivery.export_preset import export_preset
    from evonas.reports.models import print_export, print_exports, print_preset_export
    from evonas.runs import find_run, load_run

    if_stopped("Nothing was written. Export again by:")
    options = {
        "shape": input,
        "classes": classes,
        "weights": weights,
        "mean": mean,
        "deviation": deviation,
    }
    given = {key: value for key, value in options.items() if value is not None}
    of_run = run is not None or where is not None or all_front or words
    if of_run if preset is not None else run is None or given:
        raise SettingsError(
            "Write evonas export RUN --to DIR for a design of a run, or evonas export --preset "
            "NAME --to DIR for a published network, of which alone are --input, --classes, "
            "--weights, --mean and --deviation, and none of a run's options or full.*."
        )
    if all_front and (preset is not None or pick != "knee"):
        raise SettingsError(
            "--all-front writes each design of the front of a run. Leave --pick and --preset out."
        )
    if preset is not None:
        say(export_preset(preset, to, **given), json, print_preset_export)
        return
    opened = load_run(find_run(str(run)))
    if all_front:
        say(export_front(opened, to, where, scale, words or []), json, print_exports)
    else:
        say(exported(opened, to, pick, where, scale, words or []), json, print_export)


def retrain(
    model: ModelFolder, words: Words = None, trust: Trust = False, json: Json = False
) -> None:
    """Train an exported model by its own recipe.

    Words may change data.*, training.* and compression.*, for example training.epochs=100, and
    the size of the network, as in full.width=1.4. On data of other classes, the last layer is
    replaced, and the training begins with the other weights of the folder. This runs model.py of
    the folder, if it is the file that evonas wrote.
    """
    from evonas.delivery.retrain import retrain as retrained
    from evonas.reports.epochs import EpochLines
    from evonas.reports.retraining import print_retrain

    if_stopped("Finished epochs are kept. Go on by:")
    say(retrained(model, words or [], trust, EpochLines()), json, print_retrain)


def tune(model: ModelFolder, words: Words = None, trust: Trust = False, json: Json = False) -> None:
    """Try other training settings on a model; recipe.yaml gets those that do better.

    Words may set budget.evaluations=20 (trainings), tune.*, data.*, training.* and compression.*.
    Trainings are scored by the validation images, and the best is compared with the recipe from
    fresh seeds. This runs model.py of the folder, if it is the file that evonas wrote.
    """
    from evonas.delivery.tune import tune as tuned
    from evonas.reports.tuning_lines import TuningLines, print_tuning

    if_stopped("Finished epochs are kept. Go on by:")
    say(tuned(model, words or [], trust, TuningLines()), json, print_tuning)


def compress(
    model: ModelFolder,
    words: Words = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write, new or empty [DIR-compressed]."),
    ] = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Prune or quantise a trained model, and write it as a new folder.

    Words say what is done, as in compression.quantisation.method=int8 or
    compression.pruning.method=channels compression.pruning.ratio=0.5. They may change data.* and
    training.*, by which pruned networks are fine-tuned. No code of the folder is run.
    """
    from evonas.delivery.compress_model import compress as compressed
    from evonas.reports.epochs import EpochLines
    from evonas.reports.models import print_compress

    if_stopped("Nothing was written. Compress again by:")
    say(compressed(model, words or [], to, trust, EpochLines()), json, print_compress)


def predict(
    model: ModelFolder,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE|FOLDER...", help="Image files, or folders of them."),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder for predictions.json and drawn pictures, new or empty. By default "
            "detectors write to predictions, predictions-2, and so on.",
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all predictions to this file.")] = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Run an exported model on images; detectors draw what they find.

    That is its ONNX form, of 8 bits where there is one: no code of the folder is run.
    """
    from evonas.delivery.predict import as_rows, in_short, predictions_folder, write_predictions
    from evonas.delivery.predict import predict as predict_images
    from evonas.reports.models import print_predictions

    place = predictions_folder(model, to)
    results = predict_images(model, images, trust)
    if place is not None:
        write_predictions(results, model, place)
        count = "1 image" if len(results) == 1 else f"{len(results)} images"
        tell(f"Predictions of {count} are in {place}.")
    if csv is not None:
        from evonas.reports.csv_file import write_csv

        write_csv(as_rows(results, model), csv)
        tell(f"{len(results)} predictions written to {csv}.")
    if csv is None or json:
        say(results if json else in_short(results, model), json, print_predictions)
