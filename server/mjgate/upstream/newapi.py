"""Another new-api as the upstream (`reference/new-api.md`)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from mjgate.upstream.novicezk import Novicezk


class NewApi(Novicezk):
    """It forgets `state`, lists nothing, and asks an index even of a REROLL.

    The description of its tasks is only the answer to the submit.
    """

    everything: ClassVar[str | None] = None
    describes: ClassVar[bool] = False
    reroll_extra: ClassVar[Mapping[str, Any]] = {"index": 1}
