"""Images per second of fastai's training loader alone, for `cargo xtask bench --what loader`.

    python scripts/bench_fastai_loader.py DIR photos|mnist WORKERS

Prints one JSON line per setting, for the second epoch. Needs fastai 2.8 and torch.
"""

import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")

from fastai.vision.all import ImageDataLoaders, Path, RandomResizedCrop, aug_transforms, torch  # noqa: E402

SETTINGS = {
    "photos": {
        "random_resized_crop": lambda: {"item_tfms": RandomResizedCrop(224), "batch_tfms": None},
        "random_resized_crop+aug_transforms": lambda: {
            "item_tfms": RandomResizedCrop(224),
            "batch_tfms": aug_transforms(),
        },
    },
    "mnist": {"plain": dict},
}


def main(folder, kind, workers):
    torch.set_num_threads(workers)
    for name, options in SETTINGS[kind].items():
        data = ImageDataLoaders.from_folder(Path(folder), num_workers=workers, bs=64, **options())
        for _ in range(2):
            begin, images = time.perf_counter(), 0
            for _, labels in data.train:
                images += len(labels)
            seconds = time.perf_counter() - begin
        line = {"engine": "fastai 2.8", "setting": name, "workers": workers, "images_per_s": images / seconds}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
