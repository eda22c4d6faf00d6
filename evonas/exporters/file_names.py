"""All files of a model folder; weights of a run's trials are called the same."""

BLUEPRINT, RECIPE, SOURCE = "blueprint.json", "recipe.yaml", "model.py"
WEIGHTS, ONNX, CHECK, CARD = "weights.safetensors", "model.onnx", "check.json", "README.md"
FACTS = "search.json"  # measures of the search, with their scales, and genes
TRAINING = "training.json"  # what came of a retraining, once there was one
LAST = "last.safetensors"  # of a retraining that kept its best epoch
BASE = "base.safetensors"  # weights of other classes that the training began with
EXAMPLES = "examples.png"  # test images of a retraining with what was found
CURVES = "curves.svg"  # how a retraining went, epoch by epoch
CONFUSION = "confusion.svg"  # of a classifier on the test images
PRECISION_RECALL = "precision_recall.svg"  # of a detector on the test images
ONNX_NMS = "model_nms.onnx"  # of a detector, with suppression inside
ONNX_INT8 = "model.int8.onnx"  # what is deployed, if it computes in 8 bits
PACKED = "packed.safetensors"  # weights in few bits, which model.py unpacks
FILES = (
    *(BLUEPRINT, RECIPE, SOURCE, FACTS, WEIGHTS, ONNX, CHECK, CARD),
    *(TRAINING, LAST, BASE, EXAMPLES, CURVES, CONFUSION, PRECISION_RECALL),
    *(ONNX_NMS, ONNX_INT8, PACKED),
)
