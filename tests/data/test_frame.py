"""A picture of any size as a square."""

import numpy as np
import pytest
from PIL import Image

from evonas.data.frame import Fit
from evonas.data.image import image_to_array


@pytest.mark.parametrize(("fit", "rows"), [("crop", [9, 9, 9, 9]), ("letterbox", [114, 9, 9, 114])])
@pytest.mark.parametrize("is_tall", [False, True])
def test_a_letterbox_shows_all_of_a_picture_between_bars(
    fit: Fit, rows: list[int], is_tall: bool
) -> None:
    picture = np.full((8, 4) if is_tall else (4, 8), 9, np.uint8)
    square = image_to_array(Image.fromarray(picture), 8, 1, fit)[0]
    assert (square.T if is_tall else square)[::2].tolist() == [[level] * 8 for level in rows]
