"""Which channel takes a submit, and how it speaks."""

from dataclasses import replace

from mjgate.domain.channel import Channel, ChannelState, Dialect, ranked
from mjgate.errors import NotSent, Unavailable
from mjgate.gate import Gate
from mjgate.store.channels import note_spoken
from mjgate.store.database import reached
from mjgate.store.tasks import Parent
from mjgate.upstream.probe import probe_dialect

_RETRY_AFTER_S = 5


async def choose(gate: Gate, model: str) -> list[Channel]:
    """The channels to try for a new picture, in order.

    Raises:
        Unavailable: there is none now.
    """
    catalog = await gate.store.catalog()
    shunned = gate.upstreams.breaker.open()
    channels = ranked(catalog.channels.values(), model, shunned, gate.rng)
    if not channels:
        raise Unavailable(f"No channel can take {model} now.", _RETRY_AFTER_S)
    return channels


async def choose_for(gate: Gate, parent: Parent) -> Channel:
    """The channel of a parent: only there its task is known, also while it is draining.

    Raises:
        Unavailable: it is disabled or was removed, or it keeps failing.
    """
    channel = (await gate.store.catalog()).channels.get(parent.channel)
    if channel is None or channel.state is ChannelState.DISABLED:
        raise Unavailable(f"The channel that drew task {parent.id} is switched off.", 60)
    if channel.id in gate.upstreams.breaker.open():
        raise Unavailable(f"The channel that drew task {parent.id} fails now.", _RETRY_AFTER_S)
    return channel


async def tuned(gate: Gate, channel: Channel) -> Channel:
    """The channel with its dialect known; an `auto` one is asked once.

    Raises:
        NotSent: the upstream does not answer, or as none of the dialects would.
        StoreDown: what it speaks could not be kept.
    """
    if channel.dialect is not Dialect.AUTO or channel.spoken is not None:
        return channel
    try:
        spoken = await probe_dialect(gate.upstreams.transport, channel)
    except Exception as error:
        raise NotSent(f"{channel.name}: its dialect could not be asked") from error
    if spoken is None:
        raise NotSent(f"{channel.name}: speaks no dialect that is known")
    with reached():
        await note_spoken(gate.store.pool, channel.id, spoken)
    return replace(channel, spoken=spoken)
