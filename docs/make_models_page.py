"""Write models.md: which architectures of timm and torchvision work, and why some are refused.

python docs/make_models_page.py    goes on where models.csv ends; about twenty minutes on one core and 3 GB without one

The table models.csv has a line for each architecture, proven by model_heads.py. The page says nothing that the table does not. To
prove all anew, for other versions of the libraries, remove the table first.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

TABLE = Path(__file__).parent / "models.csv"
PAGE = TABLE.with_suffix(".md")
REFUSED = "refused"
KINDS = (
    ("linear", "one linear layer"),
    ("1×1 convolution", "one 1×1 convolution"),
    ("mean of", "several layers, averaged"),
    (REFUSED, REFUSED),
    ("", "all"),
)
FAMILY = ("family", "architectures", "by numbers", "weights", "D", "head")
Row = dict[str, str]

TEXT = """# Models

<!-- written by docs/make_models_page.py -->

oodkit needs the linear layer that makes a network's logits: `logits = W·features + b`. It finds that layer by what it does, not by
its name: every linear layer and 1×1 convolution is watched while two random images pass, and the last one whose `W·input + b` is
the network's answer is the head. Where a network averages several heads, they become one: of the feature that they share, or of
their features side by side. A network whose logits no such layer makes is refused with the reason.

This page covers every classification architecture of {versions}.

## Counts

{counts}

The weights are those with 1,000 classes that the libraries name. **oodkit handles {timm_handled} of timm's and
{torchvision_handled} of torchvision's.** {unnamed} architectures have no weights of any kind.

Every architecture was built untrained, with 1,000 classes. {numbers} were proven by numbers, on small images where they take such:
oodkit's own search found the head, or refused. {traced} larger ones, from {smallest} million parameters on, were traced at full
size without numbers: the head is the layer that returns the very tensor which the network returns, and an answer of another shape
than logits is refused. [models.csv](models.csv) has a line for each architecture: its head, how many features it reads (D), and how
that was proven.

## Refused

{refused}

## Weights without a classifier

{bare_weights} weights that the libraries name end in features or in an image embedding, CLIP's for example. oodkit refuses them by
name: they have no logits. These architectures have no other weights; the head is the one that oodkit finds once they have a
classifier, as after fine-tuning.

{bare}

## timm

Each family is a module of timm. The weights are those with 1,000 classes.

{timm}

## torchvision

{torchvision}
"""


def main() -> None:
    from model_heads import complete  # beside this file; the page alone needs no network

    complete(read(), TABLE)
    PAGE.write_text(page(read()), encoding="utf-8")


def read() -> list[Row]:
    if not TABLE.exists():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page(rows: Sequence[Row]) -> str:
    """The page, which says nothing that the table does not."""
    of = {source: [row for row in rows if row["source"] == source] for source in ("timm", "torchvision")}
    refused = [row for row in rows if row["head"] == REFUSED]
    bare = [row for row in rows if row["weights_none"] and not row["weights_1000"] and not row["weights_more"]]
    traced = [float(row["million_parameters"]) for row in rows if row["proof"] == "trace"]
    return TEXT.format(
        versions=" and ".join(f"{source} {', '.join(sorted({row['version'] for row in some}))}" for source, some in of.items()),
        counts=table(("head", *(f"{source}'s {what}" for source in of for what in ("architectures", "weights"))), count_lines(of)),
        numbers=sum(row["proof"] == "numbers" for row in rows),
        traced=len(traced),
        smallest=min(traced, default="-"),
        unnamed=sum(not any(row[f"weights_{what}"] for what in ("1000", "more", "none")) for row in rows),
        refused=table(("family", "architectures", "weights", "reason"), grouped(refused, "layers")),
        bare_weights=sum(int(row["weights_none"] or 0) for row in rows),
        bare=table(
            ("family", "architectures", "head"), [(family, names, head) for family, names, _, head in grouped(bare, "head")]
        ),
        **{source: table(FAMILY, family_lines(some)) for source, some in of.items()},
        **{f"{source}_handled": handled(some) for source, some in of.items()},
    )


def weights(rows: Iterable[Row]) -> int:
    return sum(int(row["weights_1000"] or 0) for row in rows)


def handled(rows: Sequence[Row]) -> str:
    total, some = weights(rows), weights(row for row in rows if row["head"] != REFUSED)
    return f"{some:,} of {total:,} ({100 * some / total:.1f} %)"


def count_lines(of: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, ...]]:
    """A line for each kind of head: how many architectures of each library have it, and how many weights these have."""
    for start, kind in KINDS:
        some = [[row for row in rows if row["head"].startswith(start)] for rows in of.values()]
        yield kind, *(str(number) for rows in some for number in (len(rows), weights(rows)))


def grouped(rows: Iterable[Row], column: str) -> Iterator[tuple[str, str, str, str]]:
    """Family, names of the architectures, how many weights, and what they have in common in ``column``."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["family"], row[column]].append(row)
    for (family, common), some in sorted(groups.items()):
        yield family, ", ".join(f"`{row['architecture']}`" for row in some), str(weights(some)), common


def family_lines(rows: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    """A line a family: how many architectures, proofs by numbers and weights, the range of D, and how many have which head."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        families[row["family"]].append(row)
    for family, some in sorted(families.items()):
        sizes = sorted({int(row["features"]) for row in some if row["features"]})
        heads = Counter(
            REFUSED if row["head"] == REFUSED else f"{row['head']}: `{row['layers'].replace(' ', '`, `')}`" for row in some
        )
        told = "; ".join(f"{head} ({count})" for head, count in heads.most_common())
        by_numbers = sum(row["proof"] == "numbers" for row in some)
        yield family, str(len(some)), str(by_numbers), str(weights(some)), "–".join(map(str, sizes[:1] + sizes[1:][-1:])), told


def table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *lines))


if __name__ == "__main__":
    main()
