from pathlib import Path

import pytest

from imgcolor.cli.main import COMMANDS, main

TRAINING = ("fit", "validate", "test", "predict", "baseline")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["palette", "--colours=many"], "argument --colours: invalid int value: 'many'"),
        (["palette", "--colour=5"], "unexpected argument '--colour'; did you mean --colours?"),
        (["palette", "--source", "web"], "invalid choice: 'web' (choose from"),
        (["palette", "extra"], "unexpected argument 'extra'; `imgcolor palette --help`"),
        (["palette", "--output"], "argument --output: expected one argument"),
        (["record", "a.csv"], "required: RUN; for example: imgcolor record"),
        (["evaluate"], "required: PATH; for example: imgcolor evaluate"),
        (["benchmark"], "required: MODEL, DIR; for example: imgcolor benchmark"),
        (["benchmark", "photo_x4"], "required: DIR; for example: imgcolor benchmark"),
        (["sweep"], "required: SWEEP; for example: imgcolor sweep"),
        (["sweep", "a.yaml", "--dryrun"], "did you mean --dry-run?"),
        (["sweep", "a.yaml", "b.yaml"], "expected options after --, found 'b.yaml'"),
    ],
)
def test_bad_arguments_are_reported_in_one_line(
    words: list[str], message: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("imgcolor: error: ")
    assert message in line
    assert not list(workplace.iterdir())


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in TRAINING])
def test_help_lists_every_argument(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: imgcolor {command} ")
    assert "None)" not in out
