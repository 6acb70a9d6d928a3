"""Which code made a result."""

import subprocess

from seam_seg.apis import identity


def test_code_version(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, 'project_root', lambda: tmp_path)
    assert identity.code_version() is None

    def git(*words):
        return subprocess.run(
            [
                'git',
                '-C',
                str(tmp_path),
                '-c',
                'user.name=x',
                '-c',
                'user.email=x@x',
                *words,
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git('init')
    assert identity.code_version() is None  # nothing committed
    code, report = tmp_path / 'seam_seg/code.py', tmp_path / 'docs/report.json'
    for file in (code, report):
        file.parent.mkdir()
        file.write_text('first')
    git('add', '.')
    git('commit', '-m', 'first')
    commit = git('rev-parse', '--short', 'HEAD')
    report.write_text('a study writes its results while it goes on')
    assert identity.code_version() == commit
    code.write_text('second')
    assert identity.code_version() == f'{commit}-changed'
