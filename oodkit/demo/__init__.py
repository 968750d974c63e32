"""Two small checkpoints and three image sets that ship with oodkit: the whole story, offline."""

MODELS = ("demo:digits-v1", "demo:digits-v2")
ID_TEST, FIT, VAL = "demo:digits", "demo:digits:train", "demo:digits:val"
NEAR = {"digits-unseen": "demo:digits-unseen"}
FAR = {"photo-patches": "demo:photo-patches"}
