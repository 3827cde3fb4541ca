import math

import numpy as np
import pytest

from model.checks import check_range, check_real


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


@pytest.mark.parametrize("value", [0, 0.5, 1, 1.0, np.float32(0.25), np.int8(1)])
def test_what_is_a_number_in_a_range(value):
    check_real("Share", value, 0, 1)
    check_real("Share", value, 0)


@pytest.mark.parametrize("value, high, error, message", [
    (-0.1, 1, ValueError, "^Share must be between 0 and 1, not -0.1$"),
    (1.01, 1, ValueError, "^Share must be between 0 and 1, not 1.01$"),
    (math.nan, 1, ValueError, "^Share must be between 0 and 1, not nan$"),
    (-1, None, ValueError, "^Share must be at least 0 and finite, not -1$"),
    (math.nan, None, ValueError, "^Share must be at least 0 and finite, not nan$"),
    (math.inf, None, ValueError, "^Share must be at least 0 and finite, not inf$"),
    (True, None, TypeError, "^Share must be a number, not True$"),
    ("0", 1, TypeError, "^Share must be a number, not '0'$"),
    (1j, 1, TypeError, r"^Share must be a number, not 1j$"),
])
def test_what_is_no_such_number(value, high, error, message):
    with pytest.raises(error, match=message):
        check_real("Share", value, 0, high)
