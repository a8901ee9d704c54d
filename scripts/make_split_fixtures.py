#!/usr/bin/env python3
"""Splits by numpy's legacy generator, as in fastai v1's random_split_by_pct.

fastai: `if seed is not None: np.random.seed(seed)`, `rand_idx = np.random.permutation(range_of(self))`,
`cut = int(valid_pct * len(self))`, validation = rand_idx[:cut].

    python3 scripts/make_split_fixtures.py > crates/vision-data/tests/fixtures/numpy_splits.json

Needs numpy. For a long split the file contains the first twenty positions, and the sum of position * (rank + 1) of all
modulo 2**32, which another order is unlikely to have.
"""

import json

import numpy as np

cases = []
for seed, items, pct in [
    (42, 10, 0.2),
    (42, 20, 0.2),
    (0, 1, 0.0),
    (0, 2, 0.5),
    (1, 7, 0.9),
    (2, 33, 0.3),
    (7, 64, 0.25),
    (7, 65, 0.25),
    (123, 1000, 0.2),
    (2**32 - 1, 4097, 0.1),
    (33, 14434, 0.2),
    (2019, 1_000_000, 0.01),
]:
    np.random.seed(seed)
    valid = np.random.permutation(items)[: int(pct * items)]
    ranks = np.arange(1, len(valid) + 1, dtype=np.uint64)
    cases.append(
        {
            "seed": seed,
            "items": items,
            "valid_pct": pct,
            "count": len(valid),
            "first": valid[:20].tolist(),
            "checksum": int((valid.astype(np.uint64) * ranks).sum() % 2**32),
        }
    )
print(json.dumps({"numpy": np.__version__, "cases": cases}, indent=1))
