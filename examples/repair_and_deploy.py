"""Repair a shipped checkpoint from Python, then make a detector with a calibrated threshold and ask it; offline."""

from pathlib import Path
from tempfile import TemporaryDirectory

import oodkit

SETS = {"train": "demo:digits:train", "val": "demo:digits:val", "test": "demo:digits", "unseen": "demo:digits-unseen"}

model = oodkit.load_classifier("demo:digits-v2")
images = {role: oodkit.open_images(spec) for role, spec in SETS.items()}
train, val, test, unseen = (oodkit.extract(model, one, labelled=role != "unseen") for role, one in images.items())

head = oodkit.augdelete(train, val=val)
before, after = (
    oodkit.evaluate(["mls", "knn"], test.with_head(one), {"unseen": unseen.with_head(one)}, fit=train.with_head(one))
    for one in (model.head, head)
)
for old, new in zip(before, after, strict=True):
    if old.ood_set == "unseen" and old.auroc and new.auroc:
        print(f"{old.scorer}: AUROC {old.auroc.value:.4f}, with the refitted head {new.auroc.value:.4f}")

repaired = model.with_head(head, method="AugDelete")
scorer = oodkit.make_scorer("mls")
detector = oodkit.Detector.calibrated(repaired, scorer, val.with_head(head), alpha=0.05)

with TemporaryDirectory() as folder:
    path = Path(folder) / "detector.safetensors"
    detector.save(path)
    found = oodkit.Detector.load(path)([images["unseen"].load(position) for position in range(5)])
for score, p_value, accepted in zip(found.scores, found.p_values, found.accepted, strict=True):
    print(f"score {score:.3f}, p-value {p_value:.3f}, {'in' if accepted else 'out'}")
