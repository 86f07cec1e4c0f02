"""The queue of callbacks: what is due is claimed, what came of it is booked.

The rules of what replaces what are in `migrations/0009.deliveries.sql`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.delivery import Outcome
from mjgate.domain.task import Task
from mjgate.store.tasks import WIRE

_WIRE = ", ".join(f"t.{column}" for column in WIRE.split(", "))

# Goes from receiver to receiver by the index, so that those with many waiting rows cost no more
# than those with one; of each as many as it has room for, and of all those the longest due, with
# no more of a token than is left of its share.
_CLAIM = f"""
with recursive r(receiver) as (
  (select receiver from deliveries where state = 'waiting' order by receiver limit 1)
  union all
  select (select d.receiver from deliveries d where d.state = 'waiting' and d.receiver > r.receiver
    order by d.receiver limit 1)
  from r where r.receiver is not null
), p as materialized (
  select task_id from (
    select due.*, row_number() over (partition by due.token_id order by due.due_at) as place
    from r cross join lateral (
      select task_id, token_id, due_at from deliveries d
      where d.state = 'waiting' and d.receiver = r.receiver and d.due_at <= now()
        and (d.leased_until is null or d.leased_until < now())
      order by d.due_at
      limit greatest(0, coalesce((%(free)s::jsonb ->> r.receiver)::integer, %(each)s))
      for no key update skip locked
    ) due
  ) fair
  where place <= %(share)s - coalesce((%(taken)s::jsonb ->> token_id::text)::integer, 0)
  order by due_at limit %(most)s
), u as (
  update deliveries d
  set claims = d.claims + 1, leased_until = clock_timestamp() + %(lease)s * interval '1 second'
  from p where d.task_id = p.task_id
  returning d.task_id, d.claims, d.receiver, d.told_hash
)
select {_WIRE}, u.claims, u.receiver, t.hook, encode(u.told_hash, 'hex'), t.token_id,
  s.secret_cipher, s.former_cipher
from u join tasks t on t.id = u.task_id left join signing_secrets s on s.token_id = t.token_id
"""  # noqa: S608

# Of an attempt that was made sooner than the schedule says, since the receiver had answered
# another, a failure does not count. Nor does one of a state that was replaced by the final one.
_BOOK = """
with x as materialized (
  select * from json_to_recordset(%(outcomes)s::json) as (
    task bigint, claim integer, version integer, result text, digest text, status integer,
    ms integer, error text, answer text, wait_s double precision)
), d as materialized (
  select * from deliveries where task_id = any(array(select task from x))
  order by task_id for no key update
), a as (
  insert into attempts (task_id, claim, version, outcome, status, ms, error, answer, made_at)
  select task, claim, version, result, status, ms, error, answer,
    clock_timestamp() - ms * interval '1 millisecond'
  from x where result <> 'same' order by task, claim on conflict do nothing
), n as (
  select d.task_id, x.version, x.result, x.digest, x.wait_s, d.version > x.version as newer,
    x.result in ('delivered', 'same') as told,
    d.hurried and d.planned_at > now() as early,
    d.version > x.version and d.final or d.hurried and d.planned_at > now() as spared
  from d join x on x.task = d.task_id and x.claim = d.claims
  where d.leased_until is not null
), f as (
  select n.*, case when told then 0 when spared then d.failures else d.failures + 1 end as failures,
    coalesce(now() + wait_s * interval '1 second', d.not_before) as not_before,
    d.planned_at as planned
  from n join d using (task_id)
), s as (
  select f.*, case
      when result in ('gone', 'refused') then result
      when newer then 'waiting'
      when told then 'delivered'
      when failures > cardinality(%(schedule)s::double precision[]) then 'given up'
      else 'waiting' end as state,
    case
      when told or newer and spared and not early then now()
      when early then planned
      else now() + interval '1 second' * coalesce((%(schedule)s::double precision[])[
        least(failures, cardinality(%(schedule)s::double precision[]))], 0) end as next
  from f
)
update deliveries set
  state = s.state, failures = s.failures, planned_at = s.next, attempted_at = now(),
  not_before = case when told then null else s.not_before end,
  due_at = case when told then now() else greatest(s.next, s.not_before) end,
  hurried = early and not told, leased_until = null,
  since = case when s.state = deliveries.state and not told then since else now() end,
  told_version = case when told then s.version else told_version end,
  told_hash = case when told then decode(digest, 'hex') else told_hash end
from s where deliveries.task_id = s.task_id
"""

# Each but once between two steps of the schedule, or after a while: a delivery that its receiver
# refuses while it takes others would else be attempted with each of them.
_HURRY = """
update deliveries set due_at = now(), hurried = true
where task_id in (
  select task_id from deliveries
  where state = 'waiting' and receiver = any(%(receivers)s) and due_at > now() and failures > 0
    and (leased_until is null or leased_until < now())
    and (not_before is null or not_before <= now())
    and (not hurried or attempted_at < now() - %(again)s * interval '1 second')
  order by receiver, due_at limit 5000 for no key update skip locked)
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery to be made now: the task as it stands, and whom to tell.

    `told` is the digest of the body that the receiver has. `ciphers` are the signing secrets of
    the token, encrypted, the newest first.
    """

    task: Task
    claim: int
    receiver: str
    hook: str = field(repr=False)
    told: str | None
    token: int
    ciphers: Sequence[bytes] = field(repr=False)


async def claim_deliveries(
    pool: AsyncConnectionPool,
    free: Mapping[str, int],
    each: int,
    taken: Mapping[int, int],
    share: int,
    most: int,
    lease_s: float,
) -> list[Claimed]:
    """Deliveries that are due, leased to the caller: `most`, of one token no more than `share`.

    `free` is how many more a receiver may have at once, `each` that of those not in it; `taken`
    is what tokens have of their share.
    """
    values = {
        "taken": orjson.dumps(taken, option=orjson.OPT_NON_STR_KEYS).decode(),
        "share": share,
        "free": orjson.dumps(free).decode(),
        "each": each,
        "most": most,
        "lease": lease_s,
    }
    async with pool.connection() as connection:
        cursor = await connection.execute(_CLAIM, values, prepare=True)
        return [_claimed(row) for row in await cursor.fetchall()]


async def book_outcomes(
    pool: AsyncConnectionPool, outcomes: Sequence[Outcome], schedule_s: Sequence[float]
) -> None:
    """Writes what attempts came to; `schedule_s` are the waits after each failure.

    Writing the same again changes nothing.
    """
    values = {"outcomes": orjson.dumps(outcomes).decode(), "schedule": list(schedule_s)}
    async with pool.connection() as connection:
        await connection.execute(_BOOK, values, prepare=True)


async def hurry_deliveries(
    pool: AsyncConnectionPool, receivers: Collection[str], again_s: float
) -> int:
    """Makes what waits for receivers that answer again due at once; returns how many."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            _HURRY, {"receivers": list(receivers), "again": again_s}, prepare=True
        )
        return cursor.rowcount


def _claimed(row: tuple[Any, ...]) -> Claimed:
    *wire, claim, receiver, hook, told, token, secret, former = row
    ciphers = [bytes(each) for each in (secret, former) if each is not None]
    return Claimed(Task(*wire), claim, receiver, hook, told, token, ciphers)
