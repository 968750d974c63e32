"""Tables are sorted by any of their columns: numbers by size, what is missing last."""

import re

import pytest

from oodkit.report.html import write_html


def figure(cell: str) -> float | None:
    """The number that a cell begins with; None for a dash or nothing."""
    found = re.match(r"([−-]?[\d,]*\.?\d+(?:e-\d+)?)", cell)
    return float(found[1].replace("−", "-").replace(",", "")) if found else None


def assert_in_order(cells: list[str], direction: str) -> None:
    """Numbers by size and not by letters, whatever has none last."""
    figures = [figure(cell) for cell in cells]
    known = [one for one in figures if one is not None]
    assert figures[: len(known)] == known, "what is missing comes last"
    assert known == sorted(known, reverse=direction == "descending")


@pytest.mark.parametrize("name", ["hostile", "compared", "repaired", "ablation-hostile", "quality-hostile"])
@pytest.mark.parametrize("how", ["click", "keyboard"])
def test_tables_are_sorted_by_any_column(file, look, name, how):
    page = look(file)
    columns = page.evaluate("checks.sortable()")
    assert len(columns) > 5
    numeric = 0
    for table, column in columns:
        header, rows = f"checks.header({table}, {column})", f"checks.rows({table})"
        before, seen, orders = page.evaluate(rows), set(), []
        for key in ("Enter", " "):
            if how == "click":
                page.click(header)
            else:
                page.evaluate(f"{header}.focus()")
                page.press(key)
            after, direction = page.evaluate(rows), page.evaluate(f"checks.sorted({table}, {column})")
            assert sorted(after) == sorted(before), "rows stay whole"
            seen.add(direction)
            orders.append([row[column] if column < len(row) else "" for row in after])
            if all(figure(cell) is not None or cell in {"", "–"} or cell.startswith("not scored") for cell in orders[-1]):
                assert_in_order(orders[-1], direction)
                numeric += 1
        assert seen == {"ascending", "descending"}
        if len(set(orders[0]) - {"", "–"}) > 1:
            assert orders[0] != orders[1]
        others = [page.evaluate(f"checks.sorted({t}, {c})") for t, c in columns if t == table and c != column]
        assert set(others) <= {None, "none"}
    assert numeric > 5
    assert page.messages == []


def test_a_hundred_comes_after_nine_and_nothing_comes_last(run, look, tmp_path):
    """As letters 100 would come before 9.5, and a dash before both."""
    values = {"mls": 1.0, "react": 0.095, "knn:k=5": 0.5}
    for row in run.document["models"][0]["results"]:
        if row["auroc"]:
            row["auroc"] = {"value": values.get(row["scorer"], 0.25), "low": 0.0, "high": 1.0}
    write_html(run, tmp_path / "report.html")
    page = look(tmp_path / "report.html")
    orders = {"ascending": [], "descending": []}
    for table, column in page.evaluate("checks.sortable()"):
        for _ in orders:
            page.evaluate(f"checks.header({table}, {column}).click()")
            figures = [figure(row[column]) for row in page.evaluate(f"checks.rows({table})") if column < len(row)]
            if {100.0, 9.5, 50.0} <= set(figures):
                orders[page.evaluate(f"checks.sorted({table}, {column})")].append(figures)
    assert orders["ascending"]
    for figures in orders["ascending"]:
        assert figures[:2] == [9.5, 25.0]
    for figures in orders["descending"]:
        assert figures[:2] == [100.0, 50.0]
