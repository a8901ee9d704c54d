#!/usr/bin/env python3
"""Writes the columns `training` and `one image` of docs/architectures.md.

    python3 scripts/bench_architectures.py PROGRAM [NAME ..]

PROGRAM is the command line, `vision`. Each architecture (or those that are named) is timed by `vision bench --seconds 1 --batch-size 8`;
let nothing else run. The rest of the table is as it was.
"""
import json
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "architectures.md"
program, only = sys.argv[1], sys.argv[2:]
lines = PAGE.read_text().splitlines(keepends=True)
for at, line in enumerate(lines):
    name = re.match(r"\| `(\w+)` \|", line)
    if not name or only and name[1] not in only:
        continue
    command = [program, "bench", "--arch", name[1], "--seconds", "1", "--batch-size", "8", "--device", "cpu", "--json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(found), flush=True)
    cells = line.split("|")
    cells[6] = f" {found['train']['images_per_second']:.1f} "
    cells[7] = f" {found['predict_one']['p50_ms']:.0f} "
    lines[at] = "|".join(cells)
    PAGE.write_text("".join(lines))
