"""The positions that fastai's rules choose on the curve in the unit tests of `lr_find.rs`.

    python3 scripts/make_lr_find_numbers.py     (fastai 2.8.12)

fastai v1's `min_grad_lr` is the minimum of numpy's gradient of the losses; `valley` is that of fastai 2.
"""

import numpy as np
from fastai.callback.schedule import valley

i = np.arange(100.0)
rises = np.maximum(i - 85, 0)
losses = 2 - 1.5 / (1 + np.exp(-(i - 60) / 5)) + 0.02 * rises**2
losses = losses[10:-5]
places = list(range(len(losses)))
print("steepest", np.gradient(losses).argmin())
print("valley", int(valley(places, list(losses), 100)[0]))
print("minimum", losses.argmin())

# Jagged curves: loss i of curve k.
for k in range(5):
    jagged = [((i * 37 + k * 53 + i * i * 11) % 101) / 20 - 0.05 * i for i in range(40)]
    print("valley of", k, int(valley(list(range(40)), jagged, 40)[0]))
