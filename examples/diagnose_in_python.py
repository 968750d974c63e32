"""Diagnose a classifier from Python: the two shipped checkpoints, offline."""

import oodkit

SETS = {"test": "demo:digits", "train": "demo:digits:train", "unseen": "demo:digits-unseen", "patches": "demo:photo-patches"}

for name in ("demo:digits-v1", "demo:digits-v2"):
    model = oodkit.load_classifier(name)
    outputs = {role: oodkit.extract(model, oodkit.open_images(spec)) for role, spec in SETS.items()}
    ood = {"unseen": outputs["unseen"], "patches": outputs["patches"]}

    knn = oodkit.make_scorer("knn", k=20).fit(outputs["train"])
    print(name, "KNN on unseen digits:", round(oodkit.auroc(knn.score(outputs["test"]), knn.score(outputs["unseen"])), 4))

    groups = {"unseen": "near", "patches": "far"}
    for row in oodkit.evaluate(["mls", "knn:k=20"], outputs["test"], ood, fit=outputs["train"], groups=groups):
        if row.ood_set == "mean" and row.auroc:
            print(f"  {row.scorer}: mean AUROC {row.auroc.value:.4f}, 95 % interval {row.auroc.low:.4f} to {row.auroc.high:.4f}")

    found = oodkit.diagnose(name, outputs["test"], ood, fit=outputs["train"], groups=groups)
    print(" ", found.verdict.sentence)
