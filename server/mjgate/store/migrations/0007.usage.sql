-- depends: 0004.limits

-- The ledger added up by token, day in UTC and model, '' for entries of no task. It holds the
-- entries made before the moment in `usage_folded`, none while that is empty; those made since
-- are added when it is read, and folded in by the sweep.
create table usage_totals (
  token_id integer not null,
  day date not null,
  model text not null,
  submitted bigint not null,
  charged bigint not null,
  released bigint not null,
  spent bigint not null,
  primary key (token_id, day, model)
);
create table usage_folded (moment timestamptz not null);

-- one index for the lines of any days of a token, and a small one for all that was made since
create index ledger_time on ledger (token_id, created_at, id);
drop index ledger_token;
create index ledger_moment on ledger using brin (created_at) with (autosummarize);
