"""Two small checkpoints and three image sets that ship with oodkit: the whole story, offline."""

MODELS = ("demo:digits-v1", "demo:digits-v2")
SETS = {
    "id_test": "demo:digits",
    "near": {"digits-unseen": "demo:digits-unseen"},
    "far": {"photo-patches": "demo:photo-patches"},
    "fit": "demo:digits:train",
    "val": "demo:digits:val",
}
