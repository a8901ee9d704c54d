"""Reads a folder of event files with TensorBoard's own reader, and prints what is in it as JSON.

    python scripts/check_tensor_board.py FOLDER      # needs tensorboard and Pillow
"""

import io
import json
import sys

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})
events.Reload()
tags = events.Tags()
out = {"scalars": {}, "images": {}}
for tag in tags["scalars"]:
    out["scalars"][tag] = [[event.step, event.value] for event in events.Scalars(tag)]
for tag in tags["images"]:
    images = []
    for event in events.Images(tag):
        image = Image.open(io.BytesIO(event.encoded_image_string))
        image.load()
        images.append([event.step, event.width, event.height, *image.size])
    out["images"][tag] = images
json.dump(out, sys.stdout)
