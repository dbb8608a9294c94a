# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: `python -m bench <area>...`. Areas give figures; targets.yaml says what is wanted; report.py compares."""

import os

# Before numpy is loaded, here and in the processes that are started: figures are of one core.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
