"""What the tests of ``oodkit augdelete`` share: the demo's models and image sets, 60 images of each, and how a result is read."""

import json

V1, V2 = "demo:digits-v1", "demo:digits-v2"
BARE = ("--scorer", "mls", "--scorer", "knn:k=3", "--baseline", "none")
SMALL = ("--limit", "60", "--workers", "0", "--device", "cpu")
TEST = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--far", "patches=demo:photo-patches")
SETS = (*TEST, "--train", "demo:digits:train", *SMALL)


def document_of(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)
