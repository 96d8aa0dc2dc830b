import csv
from pathlib import Path

import pytest
import yaml
from PIL import Image

from imgcolor.cli.main import main
from imgcolor.cli.report import render
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

COLUMNS = ["experiment", "overrides", "images", "seed", "commit", "hardware", "epochs", "seconds", "status"]
COLUMNS += ["val/mse", "val/accuracy", "baseline/grey_lookup/mse"]
CPU = "a CPU"
ROWS = [
    [
        "e.yaml",
        "--model.optimizer.lr=0.1",
        "folder",
        "0",
        "abc",
        "a CPU",
        "25",
        "60.2",
        "finished",
        0.004,
        0.5,
        0.003,
    ],
    [
        "e.yaml",
        "--model.optimizer.lr=0.1",
        "folder",
        "1",
        "abc",
        "a CPU",
        "25",
        "61",
        "finished",
        0.006,
        0.7,
        0.003,
    ],
    ["e.yaml", "--model.optimizer.lr=1.0", "folder", "0", "abc", CPU, "3", "6", "diverged", "", "", ""],
    ["e.yaml", "", "synthetic", "0", "abc", CPU, "25", "60", "finished", 0.9, "", 0.9],
    ["e.yaml", "--data.holdout=0.1", "folder", "0", "abc", CPU, "25", "60", "finished", 0.8, "", 0.9],
    ["e.yaml", "", "folder", "0", "abc", CPU, "25", "60", "finished", 0.01, "", 0.003],
]
CURVE_COLUMNS = ["experiment", "overrides", "images", "seed", "epoch", "val/mse"]
CURVES = [
    ["e.yaml", f"--model.optimizer.lr={rate}", "folder", "0", epoch, 0.01 / (epoch + 1)]
    for rate in (0.1, 0.001)
    for epoch in range(3)
]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "page.yaml").write_text(yaml.safe_dump(PAGE, sort_keys=False))
    with (folder / "rates.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *ROWS])
    with (folder / "rates_curves.csv").open("w", newline="") as file:
        csv.writer(file).writerows([CURVE_COLUMNS, *CURVES])
    return folder


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
    other = ["e.yaml", "--model.optimizer.lr=0.1 --trainer.precision=bf16-mixed", *ROWS[0][2:]]
    with (results / "rates.csv").open("a", newline="") as file:
        csv.writer(file).writerow(other)
    with pytest.raises(ImgcolorError, match=r"row \[0\.1\].*bf16-mixed.*match"):
        render(results)


def test_training_metrics_have_no_baseline(results: Path) -> None:
    page = (results / "page.yaml").read_text()
    (results / "page.yaml").write_text(page.replace("val/accuracy", "train/mse"))
    *_, baseline = cells(render(results))
    assert baseline == ["*baseline: table*", "", "0.003", "", ""]


def test_every_row_has_its_command_and_origin(results: Path) -> None:
    text = render(results)
    assert (
        "imgcolor fit --config e.yaml --model.optimizer.lr=0.1 --seed_everything=1  # 25 epochs, 61 s" in text
    )
    assert "commit abc, a CPU" in text
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


def test_results_page_is_up_to_date(repository: Path) -> None:
    page = repository / "experiments" / "RESULTS.md"
    assert page.read_text() == render(repository / "experiments" / "results")
