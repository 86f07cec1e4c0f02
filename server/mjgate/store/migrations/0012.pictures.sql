-- depends: 0008.advance

-- One row for each picture of a task that succeeded: the first is its imageUrl, the others are
-- numbered as its imageUrls. No row says what is in a file but this one.
--   waiting   to be copied when it is due
--   copying   by somebody, until then
--   kept      in storage since then
--   failed    given up then: its source is what there is
--   dropped   its files are to be removed, and then this row
create table pictures (
  task_id bigint not null,
  place smallint not null,
  source text not null,
  state text not null default 'waiting'
    check (state in ('waiting', 'copying', 'kept', 'failed', 'dropped')),
  moment timestamptz not null default clock_timestamp(),
  -- each attempt has a file name of its own, so that two never write into one file
  attempts integer not null default 0,
  failures integer not null default 0,
  fault text,
  media_type text,
  size bigint,
  hash bytea,
  primary key (task_id, place),
  check ((state = 'kept') <= (media_type is not null and size is not null and hash is not null))
);
create index pictures_due on pictures (moment) where state in ('waiting', 'copying');
create index pictures_settled on pictures (moment) include (size) where state in ('kept', 'failed');
create index pictures_dropped on pictures (task_id) where state = 'dropped';

-- Whether the pictures of a task are no longer ours, so that their sources are shown. Those that
-- had ended before were never ours.
alter table tasks add column picture_gone boolean not null default true;
alter table tasks alter column picture_gone set default false;
update tasks set picture_gone = false where phase in ('sending', 'unknown', 'running');
update tasks set picture_gone = false where phase = 'ended' and ended_by is not null;

-- The pictures of those that succeeded wait to be copied, in the transaction of their success.
create function keep_pictures(changed bigint[]) returns void language sql as $$
  insert into pictures (task_id, place, source)
  select id, place, source from (
    select id, 0 as place, image_url as source from tasks
    where id = any(changed) and status = 'SUCCESS'
    union all
    select t.id, x.place, x.source
    from tasks t, jsonb_array_elements_text(
      case when jsonb_typeof(t.properties -> 'imageUrls') = 'array'
        then t.properties -> 'imageUrls' else '[]' end) with ordinality as x(source, place)
    where t.id = any(changed) and t.status = 'SUCCESS' and x.source is distinct from t.image_url
  ) found
  where source ~* '^https?://' and length(source) <= 4096
  on conflict do nothing
$$;

-- Lets go of all pictures of tasks, which may be deleted with them.
create function forget_pictures(gone bigint[]) returns void language sql as $$
  update pictures set state = 'dropped', moment = clock_timestamp()
  where task_id = any(gone) and state <> 'dropped'
$$;

-- The same of tasks that stay: their sources are shown from now on.
create function drop_pictures(dropped bigint[]) returns void language plpgsql as $$
begin
  perform from tasks where id = any(dropped) order by id for no key update;
  update tasks set picture_gone = true, version = version + 1
  where id = any(dropped) and not picture_gone;
  perform forget_pictures(dropped);
end $$;
