"""Train a small network on digits from Python, then ask how well it notices digits that it has never seen; offline."""

from tempfile import TemporaryDirectory

import oodkit
from oodkit.training.loop import Reached

SETS = {"train": "demo:digits:train", "val": "demo:digits:val", "test": "demo:digits"}
OOD = {"unseen": "demo:digits-unseen", "patches": "demo:photo-patches"}
GROUPS = {"unseen": "near", "patches": "far"}


def show(reached: Reached) -> None:
    if reached.epoch_over and reached.val:
        print(f"epoch {reached.epoch} of {reached.epochs}: accuracy {100 * reached.val.accuracy:.1f} % on validation images")


images = {role: oodkit.open_images(spec) for role, spec in SETS.items()}
with TemporaryDirectory() as folder:
    model = oodkit.train(
        "test_resnet",
        images["train"],
        output=folder,
        recipe="label-smoothing:beta=0.1",
        val=images["val"],
        input_size=32,
        stem="own",
        epochs=10,
        batch_size=32,
        optimizer="adamw",
        lr=3e-3,
        weight_decay=0.05,
        flip=False,
        progress=show,
    )
    train, test = (oodkit.extract(model, images[role]) for role in ("train", "test"))
    ood = {role: oodkit.extract(model, oodkit.open_images(spec), labelled=False) for role, spec in OOD.items()}

found = oodkit.diagnose("test_resnet", test, ood, fit=train, groups=GROUPS, softeners=("label smoothing 0.1",))
print(found.verdict.sentence)
for row in oodkit.evaluate(["mls", "knn"], test, ood, fit=train, groups=GROUPS):
    if row.ood_set == "mean" and row.auroc:
        print(f"{row.scorer}: mean AUROC {100 * row.auroc.value:.2f} %")
