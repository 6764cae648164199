"""Write down what the packaged checkpoint says of the sample photos, for a test that notices when it says something else.

python -m training.golden
"""

from __future__ import annotations

import json
from pathlib import Path

from igsearch import images
from igsearch.captioner import checkpoint
from igsearch.captioner.captioner import Captioner

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE = REPOSITORY / "assets" / "sample"
GOLDEN = REPOSITORY / "tests" / "unit" / "captioner" / "golden.json"


def describe_sample() -> dict[str, str]:
    """File name to caption of every sample photo, in float32 on the CPU, where every machine computes nearly the same."""
    captioner = Captioner(device="cpu", precision="float32")
    files = sorted(SAMPLE.glob("*.jpg"))
    described = captioner.describe([captioner.prepare(images.decode(file.read_bytes())) for file in files])
    return {file.name: description.caption for file, description in zip(files, described, strict=True)}


def main() -> None:
    """Write the captions and the SHA-256 of the weights that made them."""
    digest = checkpoint.verify(checkpoint.packaged())[checkpoint.WEIGHTS]
    GOLDEN.write_text(json.dumps({"weights_sha256": digest, "captions": describe_sample()}, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {GOLDEN.relative_to(REPOSITORY)}: look at it, and commit it with the checkpoint")


if __name__ == "__main__":
    main()
