-- depends: 0008.advance

-- where a token's tasks are told of when their requests name no address
alter table tokens add column notify_hook text;
drop trigger announce on tokens;
create trigger announce
  after insert or update of label, key_hash, revoked_at, expires_at, addresses, notify_hook on tokens
  for each statement execute function announce();

-- What signs the callbacks of a token: the secret, and while they change over the one before it.
-- A table of its own: every submit changes the row of its token.
create table signing_secrets (
  token_id integer primary key,
  secret_cipher bytea not null,
  former_cipher bytea
);

-- The queue of callbacks: of each task that has a hook the newest state, and when it is due.
-- `final` says that the task has ended. `failures` is how far the schedule has run; `planned_at`
-- is its next step, `due_at` when the next attempt is made: at that step, or sooner after the
-- receiver answered another (`hurried`), never before a receiver's Retry-After (`not_before`).
-- Whoever sends takes a lease and counts `claims`: what a lost lease came to is not booked.
-- `since` is when the state was reached, or a state of the task began to wait.
create table deliveries (
  task_id bigint primary key,
  token_id integer not null,
  receiver text not null,
  version integer not null,
  final boolean not null,
  state text not null check (state in ('waiting', 'delivered', 'gone', 'given up', 'refused')),
  since timestamptz not null,
  failures integer not null default 0,
  due_at timestamptz not null,
  planned_at timestamptz,
  not_before timestamptz,
  hurried boolean not null default false,
  attempted_at timestamptz,
  claims integer not null default 0,
  leased_until timestamptz,
  told_version integer,
  told_hash bytea
);
create index deliveries_due on deliveries (receiver, due_at) where state = 'waiting';
create index deliveries_open on deliveries (state, task_id) where state <> 'delivered';

-- Every attempt by the claim it was made under, and what it was answered; a status is null where
-- there was no answer. One that is booked twice is there once.
create table attempts (
  task_id bigint not null,
  claim integer not null,
  version integer not null,
  outcome text not null check (outcome in ('delivered', 'failed', 'gone', 'refused')),
  status integer,
  ms integer not null,
  error text,
  answer text,
  made_at timestamptz not null,
  primary key (task_id, claim)
);

-- Queues the newest state of tasks that have a hook and were taken by their upstream. It replaces
-- one that was not delivered; while attempts fail the schedule stays, until the task has ended:
-- that state has the whole schedule. Where nobody wants to hear any more it stays so.
create function queue_deliveries(changed bigint[]) returns void language sql as $$
  insert into deliveries as d (
    task_id, token_id, receiver, version, final, state, since, due_at)
  select id, token_id, coalesce(lower(substring(hook from '^[^:]+://[^/?#]+')), ''), version,
    phase = 'ended', 'waiting', clock_timestamp(), clock_timestamp()
  from tasks
  where id = any(changed) and hook is not null and status <> 'NOT_START'
  order by id
  on conflict (task_id) do update set
    version = excluded.version,
    final = excluded.final,
    state = case when d.state in ('gone', 'refused') then d.state else 'waiting' end,
    since = case when d.state = 'delivered' then excluded.since else d.since end,
    failures = case when d.state = 'waiting' and not excluded.final then d.failures else 0 end,
    due_at = case when d.state = 'waiting' and not excluded.final and d.failures > 0 then d.due_at
      else greatest(excluded.due_at, d.not_before) end,
    hurried = d.hurried and d.state = 'waiting' and not excluded.final
$$;
