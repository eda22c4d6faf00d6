"""Files of a model folder; weights of a run's trials are called the same."""

BLUEPRINT, RECIPE, SOURCE = "blueprint.json", "recipe.yaml", "model.py"
WEIGHTS, ONNX, CHECK, CARD = "weights.safetensors", "model.onnx", "check.json", "README.md"
FILES = (BLUEPRINT, RECIPE, SOURCE, WEIGHTS, ONNX, CHECK, CARD)
