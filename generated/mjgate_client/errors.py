"""Contains shared errors types that can be raised from API functions"""

MOST_SHOWN = 2000


class UnexpectedStatus(Exception):
    """Raised by api functions when an answer is not documented, by its status or by its body, and
    Client.raise_on_unexpected_status is True"""

    def __init__(self, status_code: int, content: bytes):
        super().__init__(status_code, content)
        self.status_code = status_code
        self.content = content

    def __str__(self) -> str:
        shown = self.content[:MOST_SHOWN].decode(errors="replace")
        more = len(self.content) - MOST_SHOWN
        rest = f"... ({more} bytes more)" if more > 0 else ""
        return f"{self.status_code}: not a documented answer\n\nResponse content:\n{shown}{rest}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status_code}, {len(self.content)} bytes)"


__all__ = ["UnexpectedStatus"]
