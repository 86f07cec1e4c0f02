-- depends: 0003.commit-batch

-- What a token may do, and how much of it is used: admission decides by these columns alone.
-- `spent` and `held` are sums over the ledger entries of one budget period, which began on
-- `period_start`. The period of a token without one has the key 0001-01-01. `in_flight` counts
-- tasks of all periods that have not ended. `rate_tat` is when the next submit were due if all
-- came evenly (GCRA).
alter table tokens
  add column period text check (period in ('daily', 'weekly', 'monthly')),
  add column period_start date not null default '0001-01-01',
  add column rate_per_minute integer check (rate_per_minute between 1 and 60000),
  add column rate_tat timestamptz,
  add column in_flight integer not null default 0,
  add column most_in_flight integer check (most_in_flight >= 0),
  add column models text[],
  add column expires_at timestamptz,
  add column addresses cidr[];
update tokens set in_flight = (
  select count(*) from tasks where token_id = tokens.id and phase in ('sending', 'unknown', 'running'));

-- other processes keep a copy of what they decide on
drop trigger announce on tokens;
create trigger announce
  after insert or update of label, key_hash, revoked_at, expires_at, addresses on tokens
  for each statement execute function announce();

-- `period` is that of the hold, whenever the task ends. `ended_by` is why we ended a task that
-- its upstream had not: one that succeeds after all is given, and free.
alter table tasks
  add column period date not null default '0001-01-01',
  add column price_version integer,
  add column ended_by text check (ended_by in ('deadline', 'lost'));
alter table ledger add column period date not null default '0001-01-01';
create index ledger_token on ledger (token_id, id);

-- A key of a client, and what its first request came to. While `status` is null the task says:
-- it is being sent, or its outcome was never learned. `request_hash` covers operation and body.
create table idempotency (
  token_id integer not null,
  key text not null,
  request_hash bytea not null,
  task_id bigint not null,
  created_at timestamptz not null default now(),
  status smallint,
  answer json,
  primary key (token_id, key)
);
create index idempotency_age on idempotency (created_at);

-- the day on which the budget period that holds a moment began, by the calendar in UTC; weeks
-- start on Monday
create function period_key(period text, moment timestamptz) returns date
  language sql immutable parallel safe
  as $$ select case period
    when 'daily' then (moment at time zone 'UTC')::date
    when 'weekly' then date_trunc('week', moment at time zone 'UTC')::date
    when 'monthly' then date_trunc('month', moment at time zone 'UTC')::date
    else date '0001-01-01' end $$;

-- the time between two submits of a token that uses its whole rate; rounded up, so that never
-- more pass than were allowed
create function rate_step(per_minute integer) returns interval
  language sql immutable strict parallel safe
  as $$ select interval '1 microsecond' * ceil(60000000.0 / per_minute)::float8 $$;

-- whether one of the names, in which * stands for anything, fits a model
create function allows(models text[], model text) returns boolean
  language sql immutable parallel safe
  as $$ select exists (select from unnest(models) as name where model like
    replace(replace(replace(replace(name, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')) $$;

drop function commit_batch(json, json);
drop aggregate fit(bigint, bigint);
drop function fit(bigint, bigint, bigint);

-- What the claim of a key by an intent comes to if the key was taken before, as `commit_batch`
-- says it; else null. Without a task it was taken earlier in the same batch.
create function recall(place bigint, token integer, claim json) returns json language sql as $$
  select case
    when i.request_hash <> decode(claim->>'request', 'hex') then json_build_array(place, 'reused')
    when i.status is null
      and (t.id is null or t.phase = 'sending' and t.send_deadline > clock_timestamp())
      then json_build_array(place, 'going')
    else json_build_array(place, 'given', 0, i.task_id, i.status, i.answer) end
  from idempotency i left join tasks t on t.id = i.task_id
  where i.token_id = recall.token and i.key = claim->>'key'
$$;

-- Decides in order of arrival the intents of some tokens: those that cannot take all of theirs,
-- or that bring keys. The caller has locked the tokens; statements that follow the lock see all
-- that was committed before it. Returns what was refused, as `commit_batch` does.
create function decide(intents json, tight integer[]) returns json language plpgsql as $$
#variable_conflict use_column
declare
  x record;
  k tokens%rowtype;
  moment timestamptz;
  full_at timestamptz;
  due timestamptz;
  refusal json;
  refusals json[] := '{}';
  changed boolean;
  admitted bigint[] := '{}';
begin
  for x in
    select *, token is distinct from lead(token) over (order by token, n) as last
    from rows from (json_to_recordset(intents) as (
        id bigint, token integer, model text, price bigint, claim json))
      with ordinality as u(id, token, model, price, claim, n)
    where token = any(tight) order by token, n
  loop
    if k.id is distinct from x.token then
      changed := false;
      moment := clock_timestamp();
      select * into k from tokens
      where id = x.token and revoked_at is null and (expires_at is null or expires_at > moment);
      if k.period_start < period_key(k.period, moment) then
        k.period_start := period_key(k.period, moment);
        k.held := 0;
        k.spent := 0;
      end if;
      full_at := moment + rate_step(k.rate_per_minute) * k.rate_per_minute;
    end if;
    due := greatest(k.rate_tat, moment) + rate_step(k.rate_per_minute);
    refusal := null;
    if k.id is not null and x.claim is not null then
      refusal := recall(x.n, k.id, x.claim);
    end if;
    if k.id is null then
      refusal := json_build_array(x.n, 'token');
    elsif refusal is not null then
      -- its key was taken before
    elsif k.models is not null and not allows(k.models, x.model) then
      refusal := json_build_array(x.n, 'model');
    elsif x.price > coalesce(k.budget, 9000000000000000000) - k.spent - k.held then
      refusal := json_build_array(x.n, 'budget');
    elsif k.in_flight >= k.most_in_flight then
      refusal := json_build_array(x.n, 'flight');
    elsif due > full_at then
      refusal := json_build_array(
        x.n, 'rate', ceil(extract(epoch from due - full_at) * 1000)::bigint);
    end if;
    if refusal is not null then
      refusals := refusals || refusal;
    else
      changed := true;
      admitted := admitted || x.n;
      k.held := k.held + x.price;
      k.in_flight := k.in_flight + 1;
      k.rate_tat := due;
      if x.claim is not null then
        insert into idempotency (token_id, key, request_hash, task_id)
        values (k.id, x.claim->>'key', decode(x.claim->>'request', 'hex'), x.id);
      end if;
    end if;
    if x.last and changed then
      update tokens set held = k.held, spent = k.spent, period_start = k.period_start,
        in_flight = k.in_flight, rate_tat = k.rate_tat
      where id = k.id;
    end if;
  end loop;
  with v as materialized (
    select u.*, t.period_start from rows from (json_to_recordset(intents) as (
        id bigint, token integer, channel integer, action text, model text, price bigint,
        price_version integer, prompt text, description text, state text, hook text, marker text,
        submit_ms bigint, send_s double precision, parent bigint))
      with ordinality as u(id, token, channel, action, model, price, price_version, prompt,
        description, state, hook, marker, submit_ms, send_s, parent, n)
    join tokens t on t.id = u.token where n = any(admitted)
  ), i as (
    insert into tasks (id, token_id, channel_id, parent_id, action, model, price, price_version,
      period, phase, status, prompt, description, state, hook, marker, submit_ms, send_deadline)
    select id, token, channel, parent, action, model, price, price_version, period_start,
      'sending', 'NOT_START', prompt, description, state, hook, marker, submit_ms,
      clock_timestamp() + send_s * interval '1 second'
    from v
  )
  insert into ledger (token_id, task_id, kind, held_delta, spent_delta, period)
  select token, id, 'hold', price, 0, period_start from v order by n;
  return case when cardinality(refusals) > 0 then array_to_json(refusals) end;
end $$;

-- Keeps with the keys of sends what they were answered; a key whose send may be repeated is freed.
create function conclude(settlements json) returns void language plpgsql as $$
#variable_conflict use_column
begin
  with x as materialized (
    select * from json_to_recordset(settlements) as (id bigint, claim json) where claim is not null
  ), a as materialized (
    select x.id, t.token_id, t.phase, claim->>'key' as key, (claim->>'status')::smallint as status,
      claim->'answer' as answer
    from x join tasks t on t.id = x.id
  ), u as (
    update idempotency i set status = a.status, answer = a.answer from a
    where i.token_id = a.token_id and i.key = a.key and i.task_id = a.id and i.status is null
      and a.status is not null
  )
  delete from idempotency i using a
  where i.token_id = a.token_id and i.key = a.key and i.task_id = a.id and i.status is null
    and a.status is null and a.phase = 'rejected';
end $$;

-- Takes what ended off the counters of its tokens, whose rows the caller has locked by a
-- statement of its own: an array of token, period of the hold, tasks, held and spent.
create function take_off(ended json) returns void language sql as $$
  update tokens t
  set held = t.held - s.held, spent = t.spent + s.spent, in_flight = t.in_flight - s.tasks
  from (
    select o.id, sum(e.tasks)::integer as tasks,
      coalesce(sum(e.held) filter (where e.period = o.period_start), 0)::bigint as held,
      coalesce(sum(e.spent) filter (where e.period = o.period_start), 0)::bigint as spent
    from json_to_recordset(ended) as e (
      token integer, period date, tasks integer, held bigint, spent bigint)
    join tokens o on o.id = e.token group by o.id
  ) s
  where t.id = s.id
$$;

-- Commits a batch of submits: settles outcomes, then admits intents, so that the budget which
-- the first free counts for the second. A function, since one call costs its caller a third of a
-- pipeline.
--
-- What admission decides on is a column of the token row. Rows are locked in one order
-- everywhere: tasks by id, then tokens by id, then keys. Tokens are locked by a statement of its
-- own: those that follow it see all that was committed before, whereas a statement that waits
-- for its lock goes on with a snapshot from before, and one that needs no row locks none. A token
-- that can take all of its intents takes them at once: whatever their order, it would have.
--
-- `settlements` and `intents` come as JSON arrays in order of arrival, `clients` are the tokens
-- of the intents. Returns null where all intents are held, else an array of those that are not,
-- each as [place from 1, why, wait in ms, task, status, answer]: token, model, budget, flight,
-- rate (with a wait), or of its key reused (another request had it), going (its first has no
-- outcome yet), given (its task and, unless its outcome was never learned, what was answered).
create function commit_batch(settlements json, intents json, clients integer[]) returns json
  language plpgsql as $$
#variable_conflict use_column
declare
  keyed boolean;
  freed json;
  tight integer[];
begin
  if settlements is not null then
    with x as materialized (
      select * from json_to_recordset(settlements) as (
        id bigint, channel integer, phase text, deadline_s double precision, upstream_id text,
        status text, shares_upstream boolean, claim json)
    ), t as materialized (
      select id, token_id, price, period from tasks
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
      select * from t where id = any(array(select id from x where phase = 'rejected'))
    ), l as (
      insert into ledger (token_id, task_id, kind, held_delta, spent_delta, period)
      select token_id, id, 'release', -price, 0, period from back
    )
    select bool_or(claim is not null), (
      select json_agg(s) from (
        select token_id as token, period, count(*) as tasks, sum(price) as held, 0 as spent
        from back group by token_id, period) s)
    into keyed, freed from x;
  end if;
  perform from tokens
  where id = any(clients || array(select token from json_to_recordset(freed) as (token integer)))
  order by id for no key update;
  if freed is not null then
    perform take_off(freed);
  end if;
  if keyed then
    perform conclude(settlements);
  end if;
  if intents is not null then
    with x as materialized (
      select * from rows from (json_to_recordset(intents) as (
          id bigint, token integer, channel integer, action text, model text, price bigint,
          price_version integer, prompt text, description text, state text, hook text,
          marker text, submit_ms bigint, send_s double precision, parent bigint, claim json))
        with ordinality as u(id, token, channel, action, model, price, price_version, prompt,
          description, state, hook, marker, submit_ms, send_s, parent, claim, n)
    ), a as materialized (
      select token, count(*)::integer as tasks, sum(price)::bigint as price,
        bool_or(claim is not null) as keyed
      from x group by token
    ), k as (
      select *, greatest(period_start, period_key(period, moment)) as present,
        rate_step(rate_per_minute) as step
      from (
        select *, clock_timestamp() as moment from tokens
        where id = any(clients) and revoked_at is null) now
    ), q as materialized (
      select *, case when present = period_start then held else 0 end as held_now,
        case when present = period_start then spent else 0 end as spent_now
      from k
    ), f as materialized (
      select id, present, held_now + price as held, spent_now as spent,
        q.in_flight + tasks as in_flight, greatest(rate_tat, moment) + step * tasks as due
      from q join a on a.token = q.id
      where not keyed
        and (expires_at is null or expires_at > moment)
        and (models is null or not exists (
          select from x where token = q.id and not allows(models, model)))
        and (budget is null or spent_now + held_now + price <= budget)
        and (most_in_flight is null or q.in_flight + tasks <= most_in_flight)
        and (step is null
          or greatest(rate_tat, moment) + step * tasks <= moment + step * rate_per_minute)
    ), h as (
      update tokens t set held = f.held, spent = f.spent, period_start = f.present,
        in_flight = f.in_flight, rate_tat = f.due
      from f where t.id = f.id
    ), i as (
      insert into tasks (id, token_id, channel_id, parent_id, action, model, price, price_version,
        period, phase, status, prompt, description, state, hook, marker, submit_ms, send_deadline)
      select x.id, token, channel, parent, action, model, price, price_version, present,
        'sending', 'NOT_START', prompt, description, state, hook, marker, submit_ms,
        clock_timestamp() + send_s * interval '1 second'
      from x join f on f.id = token
    ), l as (
      insert into ledger (token_id, task_id, kind, held_delta, spent_delta, period)
      select token, x.id, 'hold', price, 0, present from x join f on f.id = token order by n
    )
    select array_agg(token) into tight from a where token not in (select id from f);
    if tight is not null then
      return decide(intents, tight);
    end if;
  end if;
  return null;
end $$;

-- Advances tasks: what changed as a JSON array of tasks, buttons that were offered as another,
-- and the ids of the first. Of those that ended the hold becomes a charge or is released. Tasks
-- that somebody else changed since their version was read stay as they are. One that we ended
-- ourselves may still become a SUCCESS, and is free. Returns the ids of those written.
create function advance_batch(changes json, offers json, ids bigint[]) returns bigint[]
  language plpgsql as $$
#variable_conflict use_column
declare
  written bigint[];
  over json;
begin
  with x as materialized (
    select * from json_to_recordset(changes) as (
      id bigint, version integer, status text, progress text, prompt text, prompt_en text,
      description text, fail_reason text, image_url text, start_ms bigint, finish_ms bigint,
      properties jsonb, ended_by text)
  ), b as materialized (
    select * from json_to_recordset(offers) as (id bigint, buttons jsonb)
  ), t as materialized (
    select id, token_id, price, period, version, phase = 'ended' as late from tasks
    where id = any(ids) and (phase in ('running', 'unknown', 'sending')
      or phase = 'ended' and status = 'FAILURE' and ended_by is not null)
    order by id for no key update
  ), n as materialized (
    select t.token_id, t.price, t.period, x.*, b.buttons,
      not late and x.status in ('SUCCESS', 'FAILURE', 'CANCEL') as ended,
      x.status = 'SUCCESS' as paid
    from t join x using (id, version) left join b using (id)
    where not late or x.status = 'SUCCESS'
  ), u as (
    update tasks set
      status = n.status, progress = n.progress, prompt = n.prompt, prompt_en = n.prompt_en,
      description = n.description, fail_reason = n.fail_reason, image_url = n.image_url,
      start_ms = n.start_ms, finish_ms = n.finish_ms, properties = n.properties,
      buttons = coalesce(n.buttons, tasks.buttons), version = n.version + 1,
      phase = case when n.ended then 'ended' else phase end, ended_by = n.ended_by
    from n where tasks.id = n.id
  ), l as (
    insert into ledger (token_id, task_id, kind, held_delta, spent_delta, period)
    select token_id, id, case when paid then 'charge' else 'release' end, -price,
      case when paid then price else 0 end, period
    from n where ended
  )
  select array_agg(id), (
    select json_agg(s) from (
      select token_id as token, period, count(*) as tasks, sum(price) as held,
        coalesce(sum(price) filter (where paid), 0) as spent
      from n where ended group by token_id, period) s)
  into written, over from n;
  if over is not null then
    perform from tokens
    where id = any(array(select token from json_to_recordset(over) as (token integer)))
    order by id for no key update;
    perform take_off(over);
  end if;
  return written;
end $$;
