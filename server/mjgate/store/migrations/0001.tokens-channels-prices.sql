-- tokens, channels and prices: what operators set
create table tokens (
  id integer generated always as identity primary key,
  label text not null,
  key_hash bytea not null unique,
  hint text not null,
  budget bigint check (budget >= 0),
  spent bigint not null default 0,
  held bigint not null default 0 check (held >= 0),
  created_at timestamptz not null default now(),
  revoked_at timestamptz
) with (fillfactor = 50);
create unique index tokens_label on tokens (label) where revoked_at is null;

create table channels (
  id integer generated always as identity primary key,
  name text not null,
  base_url text not null,
  key_cipher bytea,
  dialect text not null check (dialect in ('auto', 'novicezk', 'buttons', 'new-api')),
  spoken text check (spoken in ('novicezk', 'buttons', 'new-api')),
  priority integer not null,
  weight integer not null check (weight >= 0),
  models text[] not null,
  state text not null check (state in ('enabled', 'draining', 'disabled', 'removed')),
  fault text,
  created_at timestamptz not null default now()
);
create unique index channels_name on channels (name) where state <> 'removed';

create table prices (
  version integer generated always as identity primary key,
  prices json not null,
  created_at timestamptz not null default now()
);

-- one notification wakes every process that keeps a copy; counters of tokens change with
-- every submit and are no reason to
create function announce() returns trigger language plpgsql as $$
begin
  perform pg_notify('mjgate_changes', tg_table_name);
  return null;
end $$;
create trigger announce after insert or update of label, key_hash, revoked_at on tokens
  for each statement execute function announce();
create trigger announce after insert or update on channels
  for each statement execute function announce();
create trigger announce after insert on prices
  for each statement execute function announce();
