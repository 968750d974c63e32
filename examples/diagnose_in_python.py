"""Diagnose a classifier from Python: the two shipped checkpoints, offline, the second held against the first."""

import oodkit

SETS = {"test": "demo:digits", "train": "demo:digits:train", "unseen": "demo:digits-unseen", "patches": "demo:photo-patches"}
GROUPS = {"unseen": "near", "patches": "far"}
RECIPES = {"demo:digits-v1": (), "demo:digits-v2": ("label smoothing 0.1", "mixup 0.2", "cutmix 1")}

baseline = None
for name, softeners in RECIPES.items():
    model = oodkit.load_classifier(name)
    outputs = {role: oodkit.extract(model, oodkit.open_images(spec)) for role, spec in SETS.items()}
    test, train = outputs["test"], outputs["train"]
    ood = {role: outputs[role] for role in GROUPS}

    knn = oodkit.make_scorer("knn", k=20).fit(train)
    print(name, "KNN on unseen digits:", round(oodkit.auroc(knn.score(test), knn.score(ood["unseen"])), 4))

    for row in oodkit.evaluate(["mls", "knn:k=20"], test, ood, fit=train, groups=GROUPS):
        if row.ood_set == "mean" and row.auroc:
            print(f"  {row.scorer}: mean AUROC {row.auroc.value:.4f}, 95 % interval {row.auroc.low:.4f} to {row.auroc.high:.4f}")

    found = oodkit.diagnose(name, test, ood, fit=train, groups=GROUPS, softeners=softeners, baseline=baseline)
    print(" ", found.verdict.sentence)
    baseline = found
