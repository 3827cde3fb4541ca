import numpy as np

from model.products import products


def test_products_of_integers_are_exact():
    rng = np.random.default_rng(0)
    x, weights = rng.integers(-2 ** 38, 2 ** 38, (2_500, 30)), rng.integers(-255, 256, (7, 30))
    assert (products(x, weights) == x @ weights.T).all()
    for shape in ((30,), (2, 3, 30), (0, 30)):
        some = x.reshape(-1)[:np.prod(shape, dtype=int)].reshape(shape)
        assert products(some, weights).shape == (*shape[:-1], 7)
        assert (products(some, weights) == some @ weights.T).all()
