"""What is written before a send."""

from mjgate.domain.send import claim_of


def test_how_json_is_written_makes_no_difference_to_a_claim() -> None:
    assert claim_of("k", "a", {"x": 1, "y": [2]}) == claim_of("k", "a", {"y": [2], "x": 1})
    others = [("a", {"x": 2, "y": [2]}), ("b", {"x": 1, "y": [2]}), ("a", [{"x": 1, "y": [2]}])]
    first = claim_of("k", "a", {"x": 1, "y": [2]})
    assert all(first != claim_of("k", operation, body) for operation, body in others)
