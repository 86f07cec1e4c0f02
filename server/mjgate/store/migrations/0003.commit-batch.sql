-- depends: 0002.tasks-ledger

-- Commits a batch of submits: settles outcomes, then admits intents, so that the budget which
-- the first free counts for the second. Two statements, since one may not change a token twice.
-- A function, since one call costs its caller a third of a pipeline of two.
--
-- What admission decides on is a column of the token row that the statement has locked; a count
-- over other tables would be read from a snapshot older than the lock. Rows are locked in one
-- order everywhere: tasks by id, then tokens by id.
--
-- Both kinds come as a JSON array in order of arrival. Returns a verdict for each intent: held,
-- budget or token.
create function commit_batch(settlements json, intents json) returns text[] language plpgsql as $$
#variable_conflict use_column
declare
  settled bigint;
  verdicts text[];
begin
  if settlements is not null then
    with x as materialized (
      select * from json_to_recordset(settlements) as (
        id bigint, channel integer, phase text, deadline_s double precision, upstream_id text,
        status text, shares_upstream boolean)
    ), t as materialized (
      select id, token_id, price from tasks
      where id = any(array(select id from x)) and phase in ('sending', 'unknown')
      order by id for no key update
    ), u as (
      update tasks set
        phase = x.phase, channel_id = x.channel, upstream_id = x.upstream_id,
        shares_upstream = x.shares_upstream, status = x.status, version = version + 1,
        deadline = clock_timestamp() + x.deadline_s * interval '1 second',
        accepted_at = clock_timestamp()
      from x join t using (id) where tasks.id = x.id
    ), back as materialized (
      select t.id, t.token_id, t.price from t join x using (id) where x.phase = 'rejected'
    ), k as materialized (
      select id from tokens where id = any(select token_id from back)
      order by id for no key update
    ), r as (
      update tokens set held = held - s.price
      from (select token_id, sum(price)::bigint as price from back group by token_id) s
      join k on k.id = s.token_id where tokens.id = k.id
    ), l as (
      insert into ledger (token_id, task_id, kind, held_delta, spent_delta)
      select token_id, id, 'release', -price, 0 from back
    )
    select count(*) into settled from t;
  end if;
  if intents is not null then
    with x as materialized (
      select * from rows from (json_to_recordset(intents) as (
          id bigint, token integer, channel integer, action text, model text, price bigint,
          prompt text, description text, state text, hook text, marker text, submit_ms bigint,
          send_s double precision, parent bigint))
        with ordinality as u(id, token, channel, action, model, price, prompt, description, state,
          hook, marker, submit_ms, send_s, parent, n)
    ), k as materialized (
      select id, coalesce(budget, 9000000000000000000) - spent - held as free
      from tokens where id = any(array(select distinct token from x)) and revoked_at is null
      order by id for no key update
    ), f as (
      select x.*, k.free, fit(x.price, k.free) over w as used from x join k on k.id = x.token
      window w as (partition by x.token order by x.n rows unbounded preceding)
    ), v as materialized (
      select *, price <= free - coalesce(lag(used) over (partition by token order by n), 0) as ok
      from f
    ), h as (
      update tokens t set held = t.held + s.price
      from (select token, sum(price)::bigint as price from v where ok group by token) s
      where t.id = s.token
    ), i as (
      insert into tasks (id, token_id, channel_id, parent_id, action, model, price, phase, status,
        prompt, description, state, hook, marker, submit_ms, send_deadline)
      select id, token, channel, parent, action, model, price, 'sending', 'NOT_START',
        prompt, description, state, hook, marker, submit_ms,
        clock_timestamp() + send_s * interval '1 second'
      from v where ok
    ), l as (
      insert into ledger (token_id, task_id, kind, held_delta, spent_delta)
      select token, id, 'hold', price, 0 from v where ok
    )
    select array_agg(
      case when v.n is null then 'token' when v.ok then 'held' else 'budget' end order by x.n)
    into verdicts from x left join v on v.n = x.n;
  end if;
  return verdicts;
end $$;
