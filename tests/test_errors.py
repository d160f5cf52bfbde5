"""Every expected error teaches: message, value, what to do."""

from __future__ import annotations

import pytest

from toolkit import errors


def test_every_error_has_one_root_and_stands_in_the_drawn_tree() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    for error in classes:
        assert issubclass(error, errors.CogsymError)
        assert error.__name__ in (errors.__doc__ or ""), f"{error.__name__} is not in the tree"
        assert error.__doc__


def test_an_error_shows_its_hint() -> None:
    error = errors.DeltaError("it is broken", "mend it")
    assert str(error) == "it is broken (mend it)"
    assert (error.message, error.hint) == ("it is broken", "mend it")
    with pytest.raises(errors.CogsymError):
        raise error
