"""``ohmbit eval``: the golden model on its test images."""

import time

from model.network import Network

from ..console import console
from ..inputs import (
    DataDir,
    DatasetName,
    Detection,
    NetworkPath,
    Samples,
    dataset_for,
    detecting,
    drawing,
)


__all__ = ["eval"]


def eval(network: NetworkPath, dataset: DatasetName = None, data_dir: DataDir = None,
         samples: Samples = None, detection: Detection = None) -> None:
    """Classify all test images with the golden model."""
    net = detecting(drawing(Network.load(network), samples), detection)
    images = dataset_for(net, network, dataset, data_dir)
    start = time.perf_counter()
    with console.progress("golden model"):
        classes = net(images.x_test)
    seconds = time.perf_counter() - start
    total, correct = len(images.x_test), int((classes == images.y_test).sum())
    console.show(f"{network}: {correct:,} of {total:,} test images of {images.name} right, "
                 f"{correct / total:.2%}; {total / seconds:,.0f} images/s")
    console.result(network=network, dataset=images.name, images=total, correct=correct,
                   accuracy=correct / total, images_per_second=round(total / seconds, 1))
