import os
import subprocess
import sys
from pathlib import Path

import pytest

import imgcolor
from imgcolor.cli.main import COMMANDS, main


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {command} " in out for command in COMMANDS)
    lines = out.splitlines()
    assert len(lines) < 24, "one screen, with the prompt"
    assert max(map(len, lines)) <= 80
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"imgcolor {imgcolor.__version__}\n"


def test_misspelt_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["colourise", "a.jpg"]) == 1
    assert capsys.readouterr().err.rstrip().endswith("did you mean colourize?")


@pytest.mark.parametrize(
    ("word", "command"), [("train", "fit"), ("inference", "predict"), ("predictt", "predict")]
)
def test_other_words_for_commands_get_a_suggestion(
    word: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word, "--config", "a.yaml"]) == 1
    assert capsys.readouterr().err.rstrip().endswith(f"did you mean {command}?")


def test_help_of_a_command_by_the_word_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "fit"]) == 0
    assert "usage: imgcolor fit" in capsys.readouterr().out


def test_python_m_imgcolor_runs_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imgcolor", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("imgcolor ")


def test_help_does_not_import_torch() -> None:
    program = (
        "import sys, imgcolor.cli.main; imgcolor.cli.main.main(['--help']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


def test_debug_raises_the_exception(workplace: Path) -> None:
    with pytest.raises(imgcolor.utils.errors.ImgcolorError):
        main(["paint", "--debug"])
    assert main(["paint"]) == 1


def test_closed_output_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "imgcolor", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")
