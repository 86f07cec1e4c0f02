-- depends: 0008.advance

-- seconds from acceptance to the end of a task that its upstream does not end; null is the default
alter table channels add column deadline_s double precision check (deadline_s > 0);

-- tasks that we ended ourselves: their upstream is asked for another day whether they succeeded
create index tasks_late on tasks (channel_id, ended_at)
  where phase = 'ended' and status = 'FAILURE' and ended_by is not null and upstream_id is not null;
