import pytest

from lindorm_import.domain.words import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_250, "1,250 rows"), (1.4, "1.4 rows")]
)
def test_a_number_and_its_noun_agree(number: float, words: str) -> None:
    assert counted(number, "row") == words
