"""Foreign checkpoints, converted once and kept under a name; from then on no pickle is read any more."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from PIL import Image
from safetensors import SafetensorError

from igsearch import __version__
from igsearch.captioner import catalogue, checkpoint, sgrvinod
from igsearch.captioner.captioner import Captioner
from igsearch.errors import CacheError, CheckpointError, UsageError
from igsearch.paths import cache_root, models_folder


def convert(path: Path, word_map: Path, *, name: str, half: bool = False, cache_dir: Path | None = None) -> Path:
    """Make a captioner called `name` of the tutorial's checkpoint and WORDMAP file; its new folder comes back.

    With `half` the weights are rounded to float16: half the size, and now and then another word. The folder is there whole or not at all, and only after its
    captioner has described a picture. Raises UsageError, CheckpointError or CacheError.
    """
    catalogue.require_new_name(name, cache_dir)
    converted = sgrvinod.read(path, word_map, name=name)
    models = models_folder(cache_root(cache_dir))
    try:
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix=".") as temporary:
            folder = Path(temporary) / name
            checkpoint.save(folder, converted.config, converted.vocabulary, converted.weights, half=half)
            (folder / catalogue.ORIGIN).write_text(_origin(converted, path, word_map), encoding="utf-8")
            _describe_something(folder, path)
            return folder.rename(models / name)
    except FileExistsError as err:
        raise UsageError(f"{str(models)!r} or the captioner {name!r} is there already as something else") from err
    except (OSError, SafetensorError) as err:
        why = getattr(err, "strerror", None) or err
        raise CacheError(f"cannot keep the captioner in {str(models)!r} ({why}): make room, or name another --cache-dir") from err


def _describe_something(folder: Path, path: Path) -> None:
    """Raises CheckpointError if the captioner made of the file at `path` cannot describe a grey picture."""
    captioner = Captioner(folder, device="cpu")
    try:
        captioner.describe([captioner.prepare(Image.new("RGB", (64, 64), "grey"))])
    except CheckpointError as err:
        raise CheckpointError(f"{str(path)!r} describes nothing, for it computes what is no number: it is damaged, get it anew") from err


def _origin(converted: sgrvinod.Converted, path: Path, word_map: Path) -> str:
    """Where the weights come from, as JSON. Their licence is not known: the file does not say."""
    origin = {
        "name": converted.config.name,
        "source": "a checkpoint of sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning",
        "files_sha256": {one.name: checkpoint.sha256(one) for one in (path, word_map)},
        "converted_by": f"igsearch {__version__}",
        "licence": None,
        "epoch": converted.epoch,
        "val": {} if converted.bleu4 is None else {"BLEU-4, teacher-forced, as its file says": converted.bleu4},
    }
    return json.dumps(origin, ensure_ascii=True, indent=2) + "\n"
