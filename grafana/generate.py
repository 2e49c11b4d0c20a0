#!/usr/bin/env python3
"""Writes the dashboards to grafana/dashboards. With --check it says whether they are what it would write."""

import json
import pathlib
import sys

sys.dont_write_bytecode = True

from credits import credits  # noqa: E402
from dependencies import dependencies  # noqa: E402
from saturation import saturation  # noqa: E402
from service import service  # noqa: E402

FOLDER = pathlib.Path(__file__).parent / "dashboards"


def texts():
    """Each file's name and text."""
    for make in (service, credits, saturation, dependencies):
        yield FOLDER / f"{make.__name__}.json", json.dumps(make(), indent=2, ensure_ascii=False) + "\n"


def main():
    made = dict(texts())
    if "--check" in sys.argv:
        stale = [path.name for path, text in made.items() if not path.exists() or path.read_text() != text]
        extra = [path.name for path in FOLDER.glob("*.json") if path not in made]
        if stale or extra:
            sys.exit(f"grafana/generate.py has not been run: {', '.join(stale + extra)}")
    else:
        FOLDER.mkdir(exist_ok=True)
        for path, text in made.items():
            path.write_text(text)


main()
