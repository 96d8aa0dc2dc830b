import subprocess
from pathlib import Path

from imgcolor.utils.provenance import commit


def test_commit_has_a_plus_after_changes(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    assert commit(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    clean = commit(tmp_path)
    assert clean is not None
    assert len(clean) >= 7
    (tmp_path / "file").write_text("2")
    assert commit(tmp_path) == f"{clean}+"
