-- depends: 0001.tokens-channels-prices

-- blocks of ids start at the microseconds since 1970: 16 digits, below 2^53, and ahead of any
-- id handed out before a restore
do $$ begin
  execute format(
    'create sequence task_ids start %s increment 1000 maxvalue 9007199254740991',
    (extract(epoch from clock_timestamp()) * 1000000)::bigint);
end $$;

-- no foreign keys: tokens and channels are never deleted, and each submit would pay for the check
create table tasks (
  id bigint primary key,
  token_id integer not null,
  channel_id integer not null,
  parent_id bigint,
  upstream_id text,
  shares_upstream boolean not null default false,
  action text not null,
  model text not null,
  price bigint not null check (price >= 0),
  phase text not null check (phase in ('sending', 'unknown', 'running', 'ended', 'rejected')),
  marker text not null,
  hook text,
  send_deadline timestamptz not null,
  deadline timestamptz,
  accepted_at timestamptz,
  version integer not null default 1,
  status text not null,
  prompt text,
  prompt_en text,
  description text,
  state text,
  progress text,
  fail_reason text,
  image_url text,
  submit_ms bigint not null,
  start_ms bigint,
  finish_ms bigint,
  properties jsonb,
  buttons jsonb
);
create unique index tasks_upstream on tasks (channel_id, upstream_id)
  where upstream_id is not null and not shares_upstream;
create index tasks_shared on tasks (channel_id, upstream_id) where shares_upstream;
create index tasks_running on tasks (channel_id, accepted_at) where phase = 'running';
create index tasks_sending on tasks (send_deadline) where phase = 'sending';
create index tasks_unknown on tasks (channel_id) where phase = 'unknown';

create table ledger (
  id bigint generated always as identity primary key,
  token_id integer not null,
  task_id bigint,
  kind text not null check (kind in ('hold', 'charge', 'release', 'adjust')),
  held_delta bigint not null,
  spent_delta bigint not null,
  created_at timestamptz not null default now()
);
create unique index ledger_hold on ledger (task_id) where kind = 'hold';
create unique index ledger_end on ledger (task_id) where kind in ('charge', 'release');

-- what of a batch fits in a budget, in order of arrival: one that does not fit uses up nothing
create function fit(used bigint, price bigint, free bigint) returns bigint
  language sql immutable parallel safe
  as $$ select case when price <= free - used then used + price else used end $$;
create aggregate fit(price bigint, free bigint) (sfunc = fit, stype = bigint, initcond = '0');
