"""Another new-api as the upstream (`reference/new-api.md`)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from mjgate.domain.task import Sight
from mjgate.upstream.novicezk import Novicezk


class NewApi(Novicezk):
    """It forgets `state`, lists nothing, and asks an index even of a REROLL."""

    everything: ClassVar[str | None] = None
    reroll_extra: ClassVar[Mapping[str, Any]] = {"index": 1}

    def _sight(self, item: dict[str, Any], status: str) -> Sight:
        """Without its description, which is only the answer to the submit."""
        return replace(super()._sight(item, status), description=None)
