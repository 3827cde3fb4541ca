import numpy as np
import pytest

from model.checks import check_range


@pytest.mark.parametrize("value", [2, 3, 5, np.int8(4)])
def test_what_is_in_a_range(value):
    check_range("Width", value, 2, 5)
    check_range("Width", value, 2)


@pytest.mark.parametrize("value, high, error, message", [
    (1, 5, ValueError, "^Width must be between 2 and 5, not 1$"),
    (6, 5, ValueError, "^Width must be between 2 and 5, not 6$"),
    (1, None, ValueError, "^Width must be at least 2, not 1$"),
    (2.0, 5, TypeError, "^Width must be an integer, not 2.0$"),
    (True, None, TypeError, "^Width must be an integer, not True$"),
    ("3", None, TypeError, "^Width must be an integer, not '3'$"),
])
def test_what_is_not(value, high, error, message):
    with pytest.raises(error, match=message):
        check_range("Width", value, 2, high)
