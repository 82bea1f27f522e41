#!/usr/bin/env bash
# files-to-prompt 0.6, gitingest 0.3.1 and code2prompt 0.8.1 (PyPI) and repomix 1.18.1 (npm): a folder of code as one prompt.
#
# Guess: all say that they heed .gitignore, so each packs what `git ls-files -co --exclude-standard` lists: everything but what git
# ignores, by git's rules. They differ at most in what they leave out besides, such as pictures.
# Seen: no two pack the same files. files-to-prompt looks only at the names of files: of patterns with a slash it heeds none, so
# that notes, data and what was built go to the model although git ignores them, and an exception (!keep.gen) is not seen.
# gitingest takes a pattern that is bound to the top folder (/notes.txt, /made/) for one of every folder, and leaves out
# files that belong to the project. It keeps the patterns in a set, so whether it heeds an exception changes from one run to the
# next: Python orders sets by chance. code2prompt lets a star pass slashes, and knows no exceptions and no .gitignore in folders
# below. repomix, the nearest, does not see the exception in such a one. None says what it left out.
# What follows: let git list the files, and give that list to the tool: most take names as arguments or from standard input.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
for package in files-to-prompt==0.6 gitingest==0.3.1 code2prompt==0.8.1; do
  env/bin/pip install --quiet --disable-pip-version-check "$package" 2>/dev/null
done
npm init -y >/dev/null
npm install --silent --no-audit --no-fund repomix@1.18.1 2>/dev/null

cat >pack.py <<'PY'
import os
import subprocess
from pathlib import Path

FILES = [
    "code.txt", "x.gen", "keep.gen", "notes.txt", "sub/notes.txt", "made/b.txt", "src/made/b.txt", "data/x.csv",
    "data/in/y.csv", "docs/a/t.part", "sub/u.raw", "sub/keep.raw",
]
TOP = "*.gen\n!keep.gen\n/notes.txt\n/made/\ndata/*.csv\ndocs/**/*.part\n"
BELOW = "*.raw\n!keep.raw\n"

project, here = Path("project"), Path.cwd()
for name in FILES:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text(f"content of {name}\n")
(project / ".gitignore").write_text(TOP)
(project / "sub" / ".gitignore").write_text(BELOW)


def output(*command, seed="0"):
    environment = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run(list(map(str, command)), cwd=project, capture_output=True, text=True, env=environment).stdout


def packed(command, seed):
    lines = [line.strip() for line in output(*command, seed=seed).splitlines()]
    return frozenset(name for name in FILES if f"content of {name}" in lines)


output("git", "init", "--quiet")
listed = output("git", "ls-files", "-co", "--exclude-standard").split()
own = {name for name in FILES if name in listed}
print("git:", *sorted(own))
TOOLS = {
    "files-to-prompt": (here / "env/bin/files-to-prompt", "."),
    "gitingest": (here / "env/bin/gitingest", ".", "-o", "-"),
    "code2prompt": (here / "env/bin/code2prompt", "-p", "."),
    "repomix": ("node", here / "node_modules/repomix/bin/repomix.cjs", "--stdout"),
}
for tool, command in TOOLS.items():
    runs = [packed(command, str(seed)) for seed in range(4)]
    left_out, too_many = own - frozenset.union(*runs), frozenset.intersection(*runs) - own
    print(f"{tool}: left out {sorted(left_out)}, packed although ignored {sorted(too_many)}")
    if sometimes := frozenset.union(*runs) - frozenset.intersection(*runs):
        print(f"  in some of {len(runs)} runs only: {sorted(sometimes)}")
PY
seen=$(timeout 100 python3 pack.py)
echo "$seen"
expected=$(cat <<'TEXT'
git: code.txt data/in/y.csv keep.gen src/made/b.txt sub/keep.raw sub/notes.txt
files-to-prompt: left out ['keep.gen', 'sub/keep.raw'], packed although ignored ['data/x.csv', 'docs/a/t.part', 'made/b.txt', 'notes.txt']
gitingest: left out ['src/made/b.txt', 'sub/notes.txt'], packed although ignored []
  in some of 4 runs only: ['keep.gen', 'sub/keep.raw']
code2prompt: left out ['data/in/y.csv', 'keep.gen'], packed although ignored ['sub/u.raw']
repomix: left out ['sub/keep.raw'], packed although ignored []
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
