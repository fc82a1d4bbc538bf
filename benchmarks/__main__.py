"""All benchmarks one after another, as Markdown: python -m benchmarks [NAME …]."""

from __future__ import annotations

import subprocess
import sys

ALL = (
    "overhead",
    "speedup",
    "plan_sample",
    "plan_million",
    "large_pile",
    "scan",
    "corpus",
    "quality",
    "permits",
    "simulate",
    "forecast",
    "quota",
    "packing",
    "paid_overhead",
    "rival",
)

for name in sys.argv[1:] or ALL:
    print(f"# {name}\n", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
    print(flush=True)
