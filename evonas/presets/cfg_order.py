"""In which order a cfg of Darknet, and its file of weights, have the convolutions of a network."""

from evonas.networks.plan import Part, Plan

PREDICTION = "Prediction"  # how modules are called that end a head


def in_darknet_order(plan: Plan) -> tuple[Part, ...]:
    """The parts of a network as their convolutions stand in a cfg of Darknet.

    They stand as in the plan, but for a level's predictions, which come right behind what they
    read: a cfg goes on to the next level from there (yolov3.cfg, yolov4.cfg). Within a part the
    convolutions stand in the order of its modules. Of cross stage partial stages a cfg has two in
    place of the one that makes both parts, first that of the part around the layers.
    """
    places = {part.name: place for place, part in enumerate(plan.parts)}

    def place(part: Part) -> tuple[int, bool]:
        predicts = any(layer.module.endswith(PREDICTION) for layer in part.layers)
        return places[part.reads[0] if predicts else part.name], predicts

    return tuple(sorted(plan.parts, key=place))
