"""What `PartialJSON` raises."""

from __future__ import annotations

__all__ = ["PartialJSONError"]


class PartialJSONError(ValueError):
    """The text is not JSON, or outgrew a limit.

    Attributes:
        msg: What is wrong.
        position: Where, in characters from the start of the whole text: the first character that
            no JSON text could have there, or the length of the text if it ended too early.
    """

    def __init__(self, msg: str, position: int) -> None:
        super().__init__(msg, position)
        self.msg = msg
        self.position = position

    def __str__(self) -> str:
        return f"{self.msg} at character {self.position}"
