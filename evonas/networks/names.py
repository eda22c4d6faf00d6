"""Names that network sections may say, of what `models` has tables of: here without torch."""

ACTIVATIONS = (
    *("relu", "relu6", "leaky", "prelu", "elu", "selu", "mish", "swish", "hard_swish"),
    *("sigmoid", "hard_sigmoid"),
)
NORMS = ("batch", "group", "none")
INITIALISATIONS = ("auto", "he", "xavier", "lecun")
