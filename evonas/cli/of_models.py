"""Commands that write a winner as a model folder and put it to use."""

from pathlib import Path
from typing import Annotated

import typer

from evonas.cli.command import Json, Trust, Words, if_stopped, say
from evonas.cli.of_runs import RunName
from evonas.reports.escape import tell

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
    run: RunName,
    to: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write; must be new or empty.")
    ],
    words: Words = None,
    pick: Annotated[str, typer.Option(metavar="knee|best|NUMBER", help="Which design.")] = "knee",
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
    json: Json = False,
) -> None:
    """Write a design of a run as a model folder.

    The folder holds plain torch source, weights, ONNX, recipe, check and card; of a detector, ONNX
    with non-maximum suppression inside as well. Words make the design larger or smaller than the
    search had it: full.width=1.4, full.resolution_px=224, full.phi=1, of cells full.filters=32
    full.repeats=6.
    """
    from evonas.delivery.export import export as exported
    from evonas.reports.models import print_export
    from evonas.runs import find_run, load_run

    if_stopped("Nothing was written. Export again by:")
    made = exported(load_run(find_run(run)), to, pick, where, scale, words or [])
    say(made, json, print_export)


def retrain(
    model: ModelFolder, words: Words = None, trust: Trust = False, json: Json = False
) -> None:
    """Train an exported model by its own recipe.

    Words may change data.*, training.* and compression.*, for example training.epochs=100, and
    the size of the network, as in full.width=1.4. This runs model.py of the folder, if it is the
    file that evonas wrote.
    """
    from evonas.delivery.retrain import retrain as retrained
    from evonas.reports.epochs import EpochLines
    from evonas.reports.models import print_retrain

    if_stopped("Finished epochs are kept. Go on by:")
    say(retrained(model, words or [], trust, EpochLines()), json, print_retrain)


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
