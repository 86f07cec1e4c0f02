"""Keeps pictures: copies them to storage, lets go of old ones, and finds them for who asks."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from functools import partial

from mjgate.domain.picture import HEAD, Claimed, Copy, Picture, file_name, media_type_of, origin_of
from mjgate.errors import CopyError, CopyRefused, SourceSilent, StorageError, StoreDown
from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.metrics import PICTURE_COPIES
from mjgate.store import pictures
from mjgate.store.database import DOWN
from mjgate.upstream.sources import TOTAL_S, Source

_LEASE_S = TOTAL_S + 60
_WAITS_S = (2.0, 10.0, 60.0, 600.0, 3600.0)
"""How long after each failure a copy is tried again; after the next it is given up."""
_STORAGE_WAIT_S = 60.0
_PATIENCE_S = 10.0
_LOOK_S = 0.25
_AT_ONCE = 200
_DAY_S = 86_400
_DIED, _STOPPED = "whoever copied it died", "whoever copied it stopped"


async def keep_due(gate: Gate) -> int:
    """Starts copying what is due, as far as there is room; returns how many it has started."""
    gallery = gate.gallery
    if not gate.config.pictures or not gallery.copies.free:
        return 0
    due = await pictures.claim_due(gate.store.pool, gallery.copies.free, _LEASE_S)
    for claimed in due:
        key = (claimed.task, claimed.place, claimed.attempt)
        gallery.copies.start(key, partial(_copy, gate, claimed))
    return len(due)


async def look(gate: Gate, task: int, place: int) -> Picture | None:
    """A picture, waited for a few seconds where it is just being copied, or is due to be."""
    picture = await pictures.find_picture(gate.store.pool, task, place)
    copies = gate.gallery.copies
    if picture is None or not picture.coming or not gate.config.pictures or copies.full:
        return picture
    copying = copies.start((task, place), partial(_bring, gate, task, place))
    await asyncio.wait([copying], timeout=_PATIENCE_S)
    return await pictures.find_picture(gate.store.pool, task, place)


async def lost(gate: Gate, task: int, place: int, picture: Picture) -> None:
    """The file of a picture is gone, whoever removed it: it is copied again."""
    logger().warning("picture lost", task=task, place=place)
    await pictures.lose(gate.store.pool, task, place, picture.attempt)


async def tidy(gate: Gate) -> None:
    """Lets go of pictures that are too old or too many, and removes the files of those let go."""
    pool, config = gate.store.pool, gate.config
    while await pictures.drop_aged(pool, config.pictures_keep_days * _DAY_S, _AT_ONCE) == _AT_ONCE:
        pass
    while await pictures.drop_beyond(pool, config.pictures_max_bytes, _AT_ONCE) == _AT_ONCE:
        pass
    await _remove_dropped(gate)


async def _remove_dropped(gate: Gate) -> None:
    """Those whose files cannot be removed now stay for the next time and keep up no other."""
    stuck: dict[tuple[int, int, int], str] = {}
    while True:
        gone = await pictures.dropped(gate.store.pool, _AT_ONCE + len(stuck))
        fresh = [each for each in gone if each not in stuck]
        if not fresh:
            break
        for each in fresh:
            try:
                await _delete(gate, *each)
            except StorageError as error:
                stuck[each] = str(error)
        if removed := [each for each in fresh if each not in stuck]:
            await pictures.clear(gate.store.pool, removed)
    if stuck:
        logger().error("pictures not removed", count=len(stuck), why=next(iter(stuck.values())))


async def _bring(gate: Gate, task: int, place: int) -> None:
    """Copies a picture that is due, or waits for whoever copies it, for a while."""
    pool = gate.store.pool
    with contextlib.suppress(*DOWN):
        for _ in range(int(_PATIENCE_S / _LOOK_S)):
            claimed = await pictures.claim_picture(pool, task, place, _LEASE_S)
            if claimed is not None:
                await _copy(gate, claimed)
                return
            await asyncio.sleep(_LOOK_S)
            picture = await pictures.find_picture(pool, task, place)
            if picture is None or not picture.coming:
                return


async def _copy(gate: Gate, claimed: Claimed) -> None:
    """Copies a picture that is ours; while the database is away its lease is what remains."""
    try:
        outcome = await _settle(gate, claimed)
        PICTURE_COPIES.labels(outcome).inc()
    except asyncio.CancelledError:
        with contextlib.suppress(*DOWN):
            await pictures.put_off(gate.store.pool, claimed, 0, _STOPPED, failed=False)
        raise
    except (StoreDown, *DOWN) as error:
        logger().warning("copy interrupted", task=claimed.task, why=type(error).__name__)
    except Exception:
        logger().exception("copy failed", task=claimed.task)


async def _settle(gate: Gate, claimed: Claimed) -> str:
    """Copies, writes what came of it, and says so in a word."""
    pool = gate.store.pool
    if claimed.failures > len(_WAITS_S):
        await pictures.give_up(pool, claimed, _DIED)
        return "failed"
    try:
        copy = await _fetch(gate, claimed)
    except StorageError as error:
        logger().error("picture not stored", task=claimed.task, why=str(error))
        await pictures.put_off(pool, claimed, _STORAGE_WAIT_S, str(error), failed=False)
        return "not_stored"
    except CopyError as error:
        logger().warning("picture not copied", task=claimed.task, why=str(error))
        if isinstance(error, CopyRefused) or claimed.failures == len(_WAITS_S):
            await pictures.give_up(pool, claimed, str(error))
        else:
            await pictures.put_off(pool, claimed, _WAITS_S[claimed.failures], str(error))
        return "refused" if isinstance(error, CopyRefused) else "failed"
    if await pictures.keep(pool, claimed, copy):
        await _delete(gate, claimed.task, claimed.place, claimed.attempt - 1)
        return "kept"
    await gate.gallery.storage.delete(_file(claimed))
    return "late"


async def _fetch(gate: Gate, claimed: Claimed) -> Copy:
    """Copies it to storage, unless nobody has answered where it is for a while."""
    breaker, origin = gate.gallery.breaker, origin_of(claimed.source)
    if origin in breaker.open():
        raise SourceSilent("nobody answers at its source")
    try:
        copy = await _transfer(gate, claimed)
    except SourceSilent:
        breaker.failed(origin)
        raise
    breaker.worked(origin)
    return copy


async def _transfer(gate: Gate, claimed: Claimed) -> Copy:
    channel = (await gate.store.catalog()).channels.get(claimed.channel or 0)
    own = channel.base_url if channel else None
    async with gate.gallery.sources.open(claimed.source, own) as source:
        reading = _Reading(source)
        await gate.gallery.storage.put(_file(claimed), reading.chunks())
        return reading.copy()


async def _delete(gate: Gate, task: int, place: int, attempts: int) -> None:
    """Removes the files of the first so many attempts, those of who died included."""
    for attempt in range(1, attempts + 1):
        await gate.gallery.storage.delete(file_name(task, place, attempt))


def _file(claimed: Claimed) -> str:
    return file_name(claimed.task, claimed.place, claimed.attempt)


class _Reading:
    """A picture as it goes by: what it is, how large, and its hash."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self._size = 0
        self._media_type: str | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its content.

        Raises:
            CopyError: it is no picture.
        """
        async for chunk in self._source.chunks():
            if not self._size:
                self._media_type = media_type_of(chunk[:HEAD])
                self._refuse_other()
            self._hash.update(chunk)
            self._size += len(chunk)
            yield chunk
        self._refuse_other()

    def copy(self) -> Copy:
        assert self._media_type is not None
        return Copy(self._media_type, self._size, self._hash.digest())

    def _refuse_other(self) -> None:
        if self._media_type is None:
            raise CopyError("its content is no picture")
