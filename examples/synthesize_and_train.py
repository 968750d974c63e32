"""Train a small generator on digits, then a network with its images beside the real ones (SIO), and one without; offline."""

from pathlib import Path
from tempfile import TemporaryDirectory

import oodkit
from oodkit.training.loop import Reached

OOD = {"unseen": "demo:digits-unseen", "patches": "demo:photo-patches"}
TRAINING = {"input_size": 32, "stem": "own", "flip": False, "epochs": 12, "batch_size": 64}


def show(reached: Reached) -> None:
    if reached.epoch_over and reached.figures and reached.epoch % 5 == 0:
        print(f"epoch {reached.epoch} of {reached.epochs}: loss {reached.figures.loss:.3f}")


def judge(name: str, model: oodkit.Classifier) -> None:
    test = oodkit.extract(model, oodkit.open_images("demo:digits"))
    accuracy = 100 * float((test.logits.argmax(dim=1) == test.labels).double().mean())
    ood = {role: oodkit.extract(model, oodkit.open_images(spec), labelled=False) for role, spec in OOD.items()}
    rows = oodkit.evaluate(["mls"], test, ood, groups={"unseen": "near", "patches": "far"})
    aurocs = ", ".join(f"{row.ood_set} {100 * row.auroc.value:.2f}" for row in rows if row.auroc and row.ood_set in {*OOD, "mean"})
    print(f"{name}: accuracy {accuracy:.2f} %, AUROC of the maximal logit in %: {aurocs}")


real = oodkit.open_images("demo:digits:train")
with TemporaryDirectory() as folder:
    root = Path(folder)
    small = oodkit.open_images("demo:digits-8x8:train")  # at their own size; those above are the same images enlarged
    generator = oodkit.fit_generator(small, output=root / "generator", epochs=30, flip=False, progress=show)
    made = oodkit.synthesize(str(generator), root / "made", per_class=60)
    print(f"{len(made)} synthetic images of {len(made.class_names or ())} classes")
    judge("real images alone", oodkit.train("test_resnet", real, output=root / "plain", **TRAINING))
    judge("with synthetic ones", oodkit.train("test_resnet", real, output=root / "sio", synthetic=made, alpha=0.8, **TRAINING))
