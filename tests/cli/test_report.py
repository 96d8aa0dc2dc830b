import csv
import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from imgcolor.cli.main import main
from imgcolor.cli.report import read_page, render, tables_of, texts_of
from imgcolor.cli.report_runs import check_commands
from imgcolor.cli.report_summary import with_readme_table
from imgcolor.utils.errors import ImgcolorError

PAGE = {
    "title": "Results",
    "text": "What was run.",
    "sections": [
        {
            "title": "Learning rates",
            "text": "High ones diverge.",
            "tables": [
                {
                    "results": "rates",
                    "keys": {"model.optimizer.lr": "learning rate"},
                    "defaults": {"model.optimizer.lr": 0.001},
                    "metrics": {"val/mse": "MSE", "val/accuracy": "accuracy"},
                    "baselines": {"grey_lookup": "table"},
                    "curves": ["mse"],
                    "swept": ["val/mse"],
                    "rows": [
                        {"values": [1.0]},
                        {"values": [0.1], "report": {"val/mse": 0.0061, "val/accuracy": "46 %"}},
                        {"values": [0.001]},
                        {"values": ["half"], "overrides": "--model.optimizer.lr=0.5"},
                    ],
                }
            ],
        }
    ],
}

UNET = "experiments/horses/colour_unet.yaml"
COLUMNS = ["experiment", "overrides", "images", "seed", "commit", "hardware", "epochs", "seconds", "status"]
COLUMNS += ["val/mse", "val/accuracy", "baseline/grey_lookup/mse"]
END = ["abc", "a CPU", "25", "60.2", "finished"]
ROWS: list[list[object]] = [
    [UNET, "--model.optimizer.lr=0.1", "folder", "0", *END, 0.004, 0.5, 0.003],
    [UNET, "--model.optimizer.lr=0.1", "folder", "1", *END, 0.006, 0.7, 0.003],
    [UNET, "--model.optimizer.lr=1.0", "folder", "0", "abc", "a CPU", "3", "6", "diverged", "", "", ""],
    [UNET, "", "synthetic", "0", *END, 0.9, "", 0.9],
    [UNET, "--data.holdout=0.1", "folder", "0", *END, 0.8, "", 0.9],
    [UNET, "", "folder", "0", "def", "", "25", "", "finished", 0.01, "", 0.003],
]
CURVE_COLUMNS = ["experiment", "overrides", "images", "seed", "epoch", "val/mse"]
CURVES = [
    [UNET, f"--model.optimizer.lr={rate}", "folder", "0", epoch, 0.01 / (epoch + 1)]
    for rate in (0.1, 0.001)
    for epoch in range(3)
]
SUMMARY: dict[str, object] = {
    "results": "rates",
    "metrics": {
        "val/mse": {"name": "MSE", "decimals": 3},
        "val/accuracy": {"name": "accuracy", "decimals": 2},
    },
    "rows": [
        {"name": "table", "baseline": "grey_lookup", "runs": [{"experiment": UNET, "metrics": ["val/mse"]}]},
        {"name": "the report", "report": {"val/mse": "0.0061", "val/accuracy": "about 0.5"}},
        {"name": "ours", "runs": [{"experiment": UNET, "overrides": "--model.optimizer.lr=0.1"}]},
        {"name": "one run", "runs": [{"experiment": UNET}]},
        {"name": "to do", "runs": [{"experiment": UNET, "overrides": "--model.optimizer.lr=7"}]},
    ],
}
README = [
    {
        "images": "horses",
        "metric": "MSE",
        "report": "0.0061",
        "section": "Rates",
        "column": "val/mse",
        "row": "ours",
    },
    {"images": "photos", "metric": "PSNR", "baseline": "20.1", "ours": "22.4"},
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "page.yaml").write_text(yaml.safe_dump(PAGE, sort_keys=False))
    write_runs(folder, ROWS)
    with (folder / "rates_curves.csv").open("w", newline="") as file:
        csv.writer(file).writerows([CURVE_COLUMNS, *CURVES])
    return folder


def write_page(results: Path, **changes: object) -> None:
    """Write a page with a summary and a table for the README."""
    section = {
        "title": "Rates",
        "intro": "Of one table.",
        "summary": {**SUMMARY, **changes},
        "text": "As text.",
    }
    page = {"title": "Results", "text": "What was run.", "sections": [section], "readme": README}
    (results / "page.yaml").write_text(yaml.safe_dump(page, sort_keys=False))


def write_runs(results: Path, rows: list[list[object]]) -> None:
    with (results / "rates.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_table_has_values_of_the_report_ours_and_the_baselines(results: Path) -> None:
    text = render(results)
    head, _, diverged, both, default, missing, baseline = cells(text)
    assert head == ["learning rate", "MSE, the report", "MSE, here", "accuracy, the report", "accuracy, here"]
    assert diverged == ["1.0", "", "diverged", "", "diverged"]
    assert both == ["0.1", "0.0061", "0.005 ± 0.001 (n = 2)", "46 %", "0.6 ± 0.1 (n = 2)"]
    assert default == ["0.001", "", "0.01", "", ""]
    assert missing == ["half", "", "not run yet", "", "not run yet"]
    assert baseline == ["*baseline: table*", "", "0.003", "", ""]


def test_runs_with_different_options_are_not_averaged(results: Path) -> None:
    other = [UNET, "--model.optimizer.lr=0.1 --trainer.precision=bf16-mixed", *ROWS[0][2:]]
    write_runs(results, [*ROWS, other])
    with pytest.raises(ImgcolorError, match=r"row \[0\.1\].*bf16-mixed.*match"):
        render(results)


def test_training_metrics_have_no_baseline(results: Path) -> None:
    page = (results / "page.yaml").read_text()
    (results / "page.yaml").write_text(page.replace("val/accuracy", "train/mse"))
    *_, baseline = cells(render(results))
    assert baseline == ["*baseline: table*", "", "0.003", "", ""]


def test_every_row_has_its_command_and_origin(results: Path) -> None:
    text = render(results)
    command = f"imgcolor fit --config {UNET} --model.optimizer.lr=0.1 --seed_everything=1"
    assert f"\n{command}  # 25 epochs, 60 s, commit abc, a CPU\n" in text
    assert f"\nimgcolor fit --config {UNET} --seed_everything=0  # 25 epochs, commit def\n" in text
    assert text.index("# Results") < text.index("## Learning rates") < text.index("High ones diverge.")


def test_report_writes_the_page(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--folder", str(results.parent)]) == 0
    page = (results.parent / "RESULTS.md").read_text()
    assert page == render(results)
    for plot in ("rates_curves", "rates"):
        assert f"](results/plots/{plot}.png)" in page
        with Image.open(results / "plots" / f"{plot}.png") as image:
            assert min(image.size) > 200
    (results / "page.yaml").write_text("- 3")
    assert main(["report", "--folder", str(results.parent)]) == 1
    assert "page.yaml" in capsys.readouterr().err


def test_summary_has_spreads_published_values_and_the_best_in_bold(results: Path) -> None:
    write_page(results)
    text = render(results)
    head, _, baseline, report, ours, one, missing = cells(text)
    assert head == ["", "MSE", "accuracy"]
    assert baseline == ["table", "**0.003**", ""]
    assert report == ["the report", "0.0061", "about 0.5"]
    assert ours == ["ours", "0.005 ± 0.001 (n = 2)", "**0.60 ± 0.14 (n = 2)**"]
    assert one == ["one run", "0.010", ""]
    assert missing == ["to do", "not run yet", "not run yet"]
    assert text.count("imgcolor fit --config") == 3  # the baselines have no network
    assert text.index("Of one table.") < text.index("| table |") < text.index("As text.")


def test_all_runs_are_ranked_where_a_search_chose_the_values(results: Path) -> None:
    page = yaml.safe_load((results / "page.yaml").read_text())
    (table,) = page["sections"][0]["tables"]
    table |= {"ranked": "val/mse", "results": "search"}
    for name in ("rows", "curves", "swept"):
        del table[name]
    (results / "page.yaml").write_text(yaml.safe_dump(page, sort_keys=False))
    assert cells(render(results))[2] == ["not run yet", "", ""]
    (results / "rates.csv").rename(results / "search.csv")
    text = render(results)
    assert [row[:2] for row in cells(text)[2:]] == [
        ["0.1", "0.004"],
        ["0.1", "0.006"],
        ["0.001", "0.01"],
        ["0.001", "0.8"],  # on held-out images, where searches compare
        ["1", "diverged"],
    ]
    assert text.count("imgcolor fit --config") == 5


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"name": "a"}, "row 'a': expected name, and one of report and runs, found name"),
        (
            {"name": "a", "runs": [{"results": "rates"}]},
            "row 'a': runs: expected an experiment, found results",
        ),
        ({"name": "a", "report": {"val/psnr": "3"}}, "row 'a': expected metrics of val/mse.*found val/psnr"),
    ],
)
def test_wrong_row_of_a_summary_is_refused(row: dict[str, object], message: str, results: Path) -> None:
    write_page(results, rows=[row])
    with pytest.raises(ImgcolorError, match=message):
        render(results)


def test_readme_gets_its_table(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_page(results)
    folder = results.parent / "experiments"
    folder.mkdir()
    results.rename(folder / "results")
    readme = folder.parent / "README.md"
    readme.write_text("# Name\n<!--results-->\nold\n<!--/results-->\nEnd\n")
    assert main(["report", "--folder", str(folder)]) == 0
    text = readme.read_text()
    head, _, horses, photos = cells(text)
    assert head == ["images", "metric", "course report", "best baseline", "imgcolor"]
    assert horses == ["horses", "MSE", "0.0061", "0.003", "**0.005** ± 0.001"]
    assert photos == ["photos", "PSNR", "", "20.1", "**22.4**"]
    assert "± is the standard deviation over 2 seeds; values without it are one run." in text
    assert text.startswith("# Name\n<!--results-->\n|")
    assert text.endswith(" one run. <!--/results-->\nEnd\n")
    assert main(["report", "--folder", str(folder)]) == 0
    assert readme.read_text() == text
    write_runs(folder / "results", [ROWS[0], *ROWS[2:]])
    assert main(["report", "--folder", str(folder)]) == 0
    assert "Each value is one run with seed 0." in readme.read_text()
    readme.unlink()
    assert main(["report", "--folder", str(folder)]) == 1
    assert "README.md: expected the README" in capsys.readouterr().err
    readme.write_text("# Name\n")
    assert main(["report", "--folder", str(folder)]) == 1
    assert "README.md: expected the table between <!--results-->" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("experiment", "overrides", "message"),
    [
        (UNET, "--model.network.filters=3", "model.network.filters: ColourUNet has no such option"),
        (UNET, "--model.optimizer.lr=fast", "lr: expected float, found fast"),
        ("experiments/nowhere.yaml", "", "File does not exist: '.*experiments/nowhere.yaml'"),
        ("", "--model.optimizer.lr=0.1", "expected the command of the run, found no experiment"),
    ],
)
def test_a_run_without_a_command_that_works_is_refused(
    experiment: str, overrides: str, message: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_runs(results, [*ROWS, [experiment, overrides, *ROWS[0][2:]]])
    assert main(["report", "--folder", str(results.parent)]) == 1
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert "rates.csv, line 8 (seed 0): " in error
    assert re.search(message, error)
    assert not (results.parent / "RESULTS.md").exists()


def test_a_command_in_the_text_is_checked(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (results / "page.yaml").read_text()
    text = f"By `imgcolor fit --config {UNET} --model.filters 3`."
    (results / "page.yaml").write_text(page.replace("High ones diverge.", text))
    assert main(["report", "--folder", str(results.parent)]) == 1
    error = capsys.readouterr().err
    assert "page.yaml, section 'Learning rates': " in error
    assert "model.filters" in error


def test_commands_of_the_results_page_work(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    results = repository / "experiments" / "results"
    page = read_page(results)
    check_commands(results, tables_of(page), texts_of(page))


def test_results_page_and_readme_are_up_to_date(repository: Path) -> None:
    results = repository / "experiments" / "results"
    assert (repository / "experiments" / "RESULTS.md").read_text() == render(results)
    readme = (repository / "README.md").read_text()
    assert readme == with_readme_table(readme, results, read_page(results))


def test_our_values_in_the_readme_are_better_than_the_report_and_the_baselines(repository: Path) -> None:
    for _, metric, *values in cells((repository / "README.md").read_text())[2:]:
        # The first number of a cell, without the spread.
        *others, ours = [float(found[0]) for value in values if (found := re.findall(r"[\d.]+", value))]
        assert others
        for other in others:
            assert ours < other if "lower is better" in metric else ours > other, metric


def test_values_of_photos_in_the_readme_stand_in_their_page(repository: Path) -> None:
    page = (repository / "docs" / "photos.md").read_text()
    for item in read_page(repository / "experiments" / "results")["readme"]:
        for value in (item.get("baseline"), item.get("ours")):
            assert value is None or re.search(rf"\b{re.escape(value)}\b", page), value
