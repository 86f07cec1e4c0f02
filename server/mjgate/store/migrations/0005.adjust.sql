-- depends: 0004.limits

-- why an operator corrected what was spent
alter table ledger add column reason text;

-- The newest ledger entry of all when the budget of a token was last set: its holds after that
-- were admitted by this budget, those before it perhaps by another. The trigger runs when the
-- row is locked, so no hold lies between.
alter table tokens add column budget_after bigint not null default 0;

create function note_budget() returns trigger language plpgsql as $$
begin
  new.budget_after := (
    select case when is_called then last_value else 0 end
    from ledger_id_seq);
  return new;
end $$;
create trigger note_budget before update of budget on tokens
  for each row when (new.budget is distinct from old.budget) execute function note_budget();
