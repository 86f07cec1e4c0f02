-- depends: 0009.deliveries 0010.refresh 0012.pictures

-- What the ledger keeps of a task that was deleted: as much as its lines are proved and added up
-- by. A task is in `tasks` or here, never in both; one that is in neither was lost.
create table past_tasks (
  id bigint primary key,
  token_id integer not null,
  price bigint not null,
  price_version integer,
  period date not null,
  model text not null,
  phase text not null check (phase in ('ended', 'rejected')),
  status text not null,
  ended_by text
);

-- every task that the ledger has lines of, deleted or not
create view booked_tasks as
  select id, token_id, price, price_version, period, model, phase, status, ended_by from tasks
  union all
  select id, token_id, price, price_version, period, model, phase, status, ended_by from past_tasks;

-- tasks that have finished by when they did; what was rejected did when it was settled
create index tasks_finished on tasks (coalesce(ended_at, accepted_at))
  where phase in ('ended', 'rejected');
create index tasks_children on tasks (parent_id)
  where parent_id is not null and phase in ('sending', 'unknown', 'running');

-- Deletes tasks that finished longer ago than `age`, the oldest first and at most so many, and
-- what hangs on them; returns how many. Nothing goes within a day: its Idempotency-Key is still
-- known, and one that we ended ourselves is still asked for.
create function forget_tasks(age interval, most integer) returns integer language plpgsql as $$
declare
  gone bigint[];
begin
  gone := array(
    select id from tasks
    where phase in ('ended', 'rejected') and id = any(array(
      select id from tasks t
      where phase in ('ended', 'rejected')
        and coalesce(ended_at, accepted_at) < now() - greatest(age, interval '1 day')
        -- what needs a task that has finished, a line for each
        and not exists (select from tasks c
          where c.parent_id = t.id and c.phase in ('sending', 'unknown', 'running'))
        and not exists (select from deliveries d where d.task_id = t.id and d.state = 'waiting')
      order by coalesce(ended_at, accepted_at) limit most))
    order by id for update skip locked);
  insert into past_tasks
    select id, token_id, price, price_version, period, model, phase, status, ended_by
    from tasks where id = any(gone);
  -- what hangs on a task, a line for each
  perform forget_pictures(gone);
  delete from attempts where task_id = any(gone);
  delete from deliveries where task_id = any(gone);
  delete from tasks where id = any(gone);
  return cardinality(gone);
end $$;

-- The failures of background jobs, one row for each kind of job and what it was about: what
-- failed is taken up again, and says here how often it failed, since when, and why at last.
create table job_failures (
  job text not null,
  about text not null,
  times bigint not null default 1,
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  error text not null,
  primary key (job, about)
);
