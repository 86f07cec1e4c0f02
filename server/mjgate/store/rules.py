"""The rules of money, each as one statement that finds the rows which break it."""

# ruff: noqa: S608 - every part of a statement is a constant of this module

from dataclasses import dataclass
from typing import Final

_SUMS = """
select token_id, period, sum(held_delta) as held, sum(spent_delta) as spent
from ledger group by token_id, period
"""
_OPEN = "phase in ('sending', 'unknown', 'running')"
_ENDS = "('SUCCESS', 'FAILURE', 'CANCEL')"


def _dollars(amount: str) -> str:
    return f"trim_scale({amount}::numeric / 1000000)"


def _balance(held: str, spent: str) -> str:
    return f"{_dollars(held)} || ' held, ' || {_dollars(spent)} || ' spent'"


def _used(total: str) -> str:
    counts = (f"coalesce({total}.{n}, 0) || ' {n}, '" for n in ("submitted", "charged", "released"))
    spent = _dollars(f"coalesce({total}.spent, 0)")
    return f"{' || '.join(counts)} || {spent} || ' spent'"


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold, and the statement that finds what breaks it.

    Its columns: what is wrong, ids of token, task and entry, what was expected, and found.
    """

    name: str
    holds: str
    breaks: str


RULES: Final = (
    Rule(
        "balance",
        "held and spent of a token are the sums of its entries in its current period",
        f"""
        select 'the balance is not the sum', k.id, null::bigint, null::bigint,
          {_balance("coalesce(s.held, 0)", "coalesce(s.spent, 0)")}, {_balance("k.held", "k.spent")}
        from tokens k left join ({_SUMS}) s on s.token_id = k.id and s.period = k.period_start
        where k.held <> coalesce(s.held, 0) or k.spent <> coalesce(s.spent, 0)""",
    ),
    Rule(
        "negative",
        "no token holds or has spent less than nothing in any period",
        f"""
        select 'below zero in the period ' || period, token_id, null::bigint, null::bigint,
          'nothing below 0', {_balance("held", "spent")}
        from ({_SUMS}) s where held < 0 or spent < 0""",
    ),
    Rule(
        "flight",
        "the tasks in flight of a token are those that have not ended",
        f"""
        select 'the count is not that of the tasks', k.id, null::bigint, null::bigint,
          coalesce(t.n, 0)::text, k.in_flight::text
        from tokens k left join (
          select token_id, count(*) as n from tasks where {_OPEN} group by token_id
        ) t on t.token_id = k.id
        where k.in_flight <> coalesce(t.n, 0)""",
    ),
    Rule(
        "hold",
        "a task that was admitted has one hold",
        """
        select 'the task has not one hold', t.token_id, t.id, null::bigint,
          '1 hold', coalesce(l.n, 0)::text
        from booked_tasks t left join (
          select task_id, count(*) as n from ledger where kind = 'hold' group by task_id
        ) l on l.task_id = t.id
        where l.n is distinct from 1""",
    ),
    Rule(
        "end",
        "a task that ended or was rejected has one charge or release, any other has none",
        f"""
        select 'the task is ' || t.phase, t.token_id, t.id, null::bigint,
          case when {_OPEN} then 'no charge or release' else '1 charge or release' end,
          coalesce(l.n, 0)::text
        from booked_tasks t left join (
          select task_id, count(*) as n from ledger where kind in ('charge', 'release')
          group by task_id
        ) l on l.task_id = t.id
        where coalesce(l.n, 0) <> case when {_OPEN} then 0 else 1 end""",
    ),
    Rule(
        "charge",
        "a success is charged unless it came late; no other end is",
        f"""
        select 'the task is ' || t.phase || ', ' || t.status
            || coalesce(', ended by ' || t.ended_by, ''),
          t.token_id, t.id, l.id,
          case when l.kind = 'charge' then 'release' else 'charge' end, l.kind
        from ledger l join booked_tasks t on t.id = l.task_id
        where l.kind in ('charge', 'release') and not {_OPEN} and (l.kind = 'charge')
          <> (t.phase = 'ended' and t.status = 'SUCCESS' and t.ended_by is null)""",
    ),
    Rule(
        "amount",
        "an entry moves what its kind moves: the price of its task, or what an operator says",
        f"""
        select 'the ' || l.kind || ' moves another amount', l.token_id, l.task_id, l.id,
          {_balance("m.held", "m.spent")}, {_balance("l.held_delta", "l.spent_delta")}
        from ledger l left join booked_tasks t on t.id = l.task_id
        cross join lateral (select
          case l.kind when 'hold' then t.price when 'adjust' then 0 else -t.price end as held,
          case l.kind when 'charge' then t.price when 'adjust' then l.spent_delta else 0 end
            as spent
        ) m
        where l.held_delta <> m.held or l.spent_delta <> m.spent""",
    ),
    Rule(
        "account",
        "an entry is in the token and the period of its task",
        """
        select 'the ' || l.kind || ' is in another account', l.token_id, l.task_id, l.id,
          'token ' || t.token_id || ', period ' || t.period,
          'token ' || l.token_id || ', period ' || l.period
        from ledger l join booked_tasks t on t.id = l.task_id
        where l.token_id <> t.token_id or l.period <> t.period""",
    ),
    Rule(
        "entry",
        "an entry has its task, save an adjustment, which has none",
        """
        select 'the ' || l.kind || case when l.kind = 'adjust' then ' has a task'
            else ' has no task' end,
          l.token_id, l.task_id, l.id,
          case when l.kind = 'adjust' then 'no task' else 'a task' end,
          case when l.task_id is null then 'none' when t.id is null then 'one that is not there'
            else 'a task' end
        from ledger l left join booked_tasks t on t.id = l.task_id
        where case when l.kind = 'adjust' then l.task_id is not null else t.id is null end""",
    ),
    Rule(
        "budget",
        "no hold went beyond the budget of its token",
        f"""
        select 'the hold goes beyond the budget', token_id, task_id, id,
          'at most ' || {_dollars("budget")}, {_dollars("used")} || ' with it'
        from (
          select l.id, l.token_id, l.task_id, l.kind, k.budget, k.budget_after,
            sum(l.held_delta + l.spent_delta)
              over (partition by l.token_id, l.period order by l.id) as used
          from ledger l join tokens k on k.id = l.token_id where k.budget is not null
        ) r
        where kind = 'hold' and used > budget and id > budget_after""",
    ),
    Rule(
        "phase",
        "a task has an ending status when it has ended, and only then",
        f"""
        select 'the status does not fit the phase', token_id, id, null::bigint,
          case phase when 'ended' then 'an end' else 'no end' end,
          phase || ', ' || status || coalesce(', ended by ' || ended_by, '')
        from booked_tasks
        where (status in {_ENDS}) <> (phase = 'ended')
          or ended_by is not null and (phase <> 'ended' or status = 'CANCEL')""",
    ),
    Rule(
        "upstream",
        "an upstream's id is bound to one task of its channel, unless they share it",
        """
        select 'the tasks have one upstream id', min(token_id), min(id), null::bigint, '1 task',
          count(*) || ' tasks of channel ' || channel_id || ', ' || min(id) || ' to ' || max(id)
        from tasks where upstream_id is not null and not shares_upstream
        group by channel_id, upstream_id having count(*) > 1""",
    ),
    Rule(
        "past",
        "a task is there or was deleted, not both",
        """
        select 'the task was deleted and is there', t.token_id, t.id, null::bigint, 'one of both',
          'both, ' || t.phase
        from tasks t join past_tasks p on p.id = t.id""",
    ),
    Rule(
        "key",
        "an Idempotency-Key has a task of its token",
        """
        select 'the key is of no task of its token', i.token_id, i.task_id, null::bigint,
          'a task of this token', case when t.id is null then 'none' else 'one of another' end
        from idempotency i left join booked_tasks t on t.id = i.task_id
        where t.token_id is distinct from i.token_id""",
    ),
    Rule(
        "usage",
        "what is shown as used in a day is the sum of its entries, once they are added up",
        f"""
        select 'the total of ' || day || case model when '' then '' else ', ' || model end,
          token_id, null::bigint, null::bigint, {_used("s")}, {_used("u")}
        from (
          select l.token_id, (l.created_at at time zone 'UTC')::date as day,
            coalesce(t.model, '') as model, count(*) filter (where l.kind = 'hold') as submitted,
            count(*) filter (where l.kind = 'charge') as charged,
            count(*) filter (where l.kind = 'release') as released, sum(l.spent_delta) as spent
          from ledger l left join booked_tasks t on t.id = l.task_id
          where l.created_at < (select max(moment) from usage_folded) group by 1, 2, 3
        ) s full join usage_totals u using (token_id, day, model)
        where (s.submitted, s.charged, s.released, s.spent)
          is distinct from (u.submitted, u.charged, u.released, u.spent)""",
    ),
    Rule(
        "token",
        "what belongs to a token belongs to one that is there",
        """
        select 'there is no such token', r.token_id, null::bigint, null::bigint, 'a token',
          r.kind || ' without one'
        from (
          select distinct token_id, 'tasks' as kind from booked_tasks
          union all select distinct token_id, 'entries' from ledger
          union all select distinct token_id, 'keys' from idempotency
        ) r left join tokens k on k.id = r.token_id
        where k.id is null""",
    ),
    Rule(
        "table",
        "no price of any version is below zero",
        """
        select 'version ' || version || ' has a price below zero', null::integer, null::bigint,
          null::bigint, name || ' at 0 or more', price
        from prices, json_each_text(prices) as each(name, price)
        where price::numeric < 0""",
    ),
)

# What a version quotes is said by the domain, and asked of the database for each combination.
PRICED: Final = """
select price_version, model, price from booked_tasks where price_version is not null
group by price_version, model, price
"""
PRICE: Final = Rule(
    "price",
    "the price of a task is what the version of its price quotes",
    f"""
select 'not the price of ' || t.model || ' in version ' || t.price_version, t.token_id, t.id,
  null::bigint, coalesce({_dollars("w.quote")}::text, 'no such price'), {_dollars("t.price")}::text
from booked_tasks t join json_to_recordset(%(wrong)s::json)
  as w(version integer, model text, price bigint, quote bigint)
  on (t.price_version, t.model, t.price) = (w.version, w.model, w.price)
""",
)
