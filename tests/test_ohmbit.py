"""``import ohmbit``."""

import pathlib
import subprocess
import sys

import pytest

import ohmbit


ROOT = pathlib.Path(__file__).parent.parent


def test_public_names_are_there():
    assert all(hasattr(ohmbit, name) for name in ohmbit.__all__)
    assert len(set(ohmbit.__all__)) == len(ohmbit.__all__)


def test_the_path_in_public_names():
    digits = ohmbit.load_dataset("digits")
    network = ohmbit.train(digits, hidden=(8,), epochs=1)
    mapping = ohmbit.fit(network.shape, ohmbit.find_board("icebreaker").resources)
    engine = ohmbit.AmaranthEngine()
    engine.load(ohmbit.compile(network.shape, mapping, probes=True))
    engine.write(ohmbit.image(network, mapping))
    images = digits.x_test[:2]
    assert ohmbit.compare(network, images, engine.infer(images)).total == 0


@pytest.mark.parametrize("package", ["model", "gateware", "sim", "boards"])
@pytest.mark.parametrize("first", ["", "import {package}; "], ids=["found", "imported before"])
def test_a_file_that_hides_a_package_is_named(tmp_path, package, first):
    stray = tmp_path / f"{package}.py"
    stray.write_text("x = 1\n")
    path = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; "
    done = subprocess.run([sys.executable, "-c",
                           path + first.format(package=package) + "import ohmbit"],
                          capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: {stray} hides ohmbit's own package {package!r}: rename that file or move "
        "it away")
