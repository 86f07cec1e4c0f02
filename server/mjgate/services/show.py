"""Shows a task to its client: what is kept of its pictures is found at addresses of ours."""

from typing import Any

from mjgate.domain.picture import expiry_s, is_source
from mjgate.domain.task import Task
from mjgate.gate import Gate


def show(gate: Gate, task: Task) -> dict[str, Any]:
    """The documented Task, the same for a while, in a fetch and in a callback alike."""
    shown = task.wire()
    if task.pictures:
        shown["imageUrls"] = [{"url": each} for each in task.pictures]
    if not task.pictured or not gate.config.pictures:
        return shown
    if is_source(task.image_url):
        shown["imageUrl"] = address(gate, task.id, 0)
    if task.pictures:
        shown["imageUrls"] = [
            {"url": address(gate, task.id, 0 if each == task.image_url else place)}
            for place, each in enumerate(task.pictures, start=1)
        ]
    return shown


def version(gate: Gate, task: Task) -> str:
    """What is the same while the task is shown the same: its addresses open for a while only."""
    if not task.pictured or not gate.config.pictures:
        return str(task.version)
    return f"{task.version}-{_expiry_s(gate)}"


def address(gate: Gate, task: int, place: int) -> str:
    """Where a picture is served until the address expires; `place` as in Claimed."""
    expires = _expiry_s(gate)
    signature = gate.store.cipher.seal(_signed(task, place, expires))
    which = f"n={place}&" if place else ""
    origin = gate.gallery.origin
    return f"{origin}/mj/image/{task}?{which}expires={expires}&signature={signature}"


def opens(gate: Gate, task: int, place: int, expires: int, signature: str) -> bool:
    """Whether an address of ours says so, and has not expired."""
    sealed = gate.store.cipher.is_sealed(_signed(task, place, expires), signature)
    return sealed and gate.clock() < expires * 1000


def _expiry_s(gate: Gate) -> int:
    return expiry_s(gate.clock() // 1000, gate.config.pictures_link_life)


def _signed(task: int, place: int, expires: int) -> str:
    return f"picture {task} {place} {expires}"
