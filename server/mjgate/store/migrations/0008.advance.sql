-- depends: 0007.usage

-- when a task ended, by the clock of the database
alter table tasks add column ended_at timestamptz;
update tasks set ended_at = coalesce(to_timestamp(finish_ms / 1000.0), now()) where phase = 'ended';

-- Tells every process which tasks have changed: their ids with commas between, or nothing where
-- they do not fit in a notification. One for a batch; who misses it looks for itself.
create function announce_tasks(changed bigint[]) returns void language sql as $$
  select pg_notify('mjgate_tasks', case when cardinality(changed) <= 400
    then array_to_string(changed, ',') else '' end)
$$;

-- Advances tasks: what changed as a JSON array of tasks, buttons that were offered as another,
-- and the ids of the first. Of those that ended the hold becomes a charge or is released. Tasks
-- that somebody else changed since their version was read stay as they are. One that we ended
-- ourselves may still become a SUCCESS, and is free. Returns the ids of those written. What a
-- change calls for is written with it: `keep_pictures` and `queue_deliveries` come with their tables.
create or replace function advance_batch(changes json, offers json, ids bigint[]) returns bigint[]
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
      phase = case when n.ended then 'ended' else phase end, ended_by = n.ended_by,
      ended_at = case when n.ended then clock_timestamp() else ended_at end
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
  if written is not null then
    perform keep_pictures(written);
    perform queue_deliveries(written);
    perform announce_tasks(written);
  end if;
  return written;
end $$;
