from argparse import Namespace

import pytest

from imgcolor.cli.options import CommandParser, UsageError


def parser() -> CommandParser:
    parser = CommandParser("imgcolor test")
    parser.example = "imgcolor test a.png"
    parser.add_argument("file")
    parser.add_argument("others", nargs="*", default=[])
    parser.add_argument("--size", type=int)
    parser.add_argument("--switch", action="store_true")
    return parser


def parsed(**values: object) -> Namespace:
    return Namespace(**({"file": "a", "others": [], "size": None, "switch": False} | values))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a"], parsed()),
        (["a", "--switch", "b"], parsed(switch=True, others=["b"])),
        (["--size", "3", "a", "b", "--switch"], parsed(size=3, switch=True, others=["b"])),
        (["a", "--switch", "--", "-b", "--size=3"], parsed(switch=True, others=["-b", "--size=3"])),
        (["--", "a"], parsed()),
    ],
)
def test_options_and_positional_arguments_in_any_order(words: list[str], expected: Namespace) -> None:
    assert parser().parse(words) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required: file; for example: imgcolor test a.png"),
        (["a", "--sizes=3"], "unexpected argument '--sizes'; did you mean --size?"),
        (["a", "--nonsense"], "unexpected argument '--nonsense'; `imgcolor test --help`"),
        (["a", "--size", "large"], "--size.*'large'"),
    ],
)
def test_wrong_arguments_are_named(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parser().parse(words)


def test_command_without_positional_arguments() -> None:
    command = CommandParser("imgcolor test")
    command.add_argument("--size")
    assert command.parse(["--size=3"]) == Namespace(size="3")
    assert command.parse([]) == Namespace(size=None)
    with pytest.raises(UsageError, match="unexpected argument 'a'"):
        command.parse(["a"])


def test_help_names_all_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse(["--help"])
    out = capsys.readouterr().out
    assert all(word in out for word in ("imgcolor test", "file", "others", "--size", "--switch"))
