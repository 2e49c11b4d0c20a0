-- keep: counts a hold of an account: counters, balance, ledger entry and what is remembered of the id.
--
-- In a script (meter), because all of it must happen at once and only once per operation id. Nothing of the account is read:
-- month and pool are those of the hold, the cycle that of the hold or where that was moved to, and the entry goes to the
-- ledger of the hold's month. Whether it came after its lease is told from the entry's own time.
--
-- Words  its terms (see read_keep_terms)   id   key as names of counters have it, or ''   end of the lease (µs)
-- Gives  kept   released   no_account   closed (the ledger of its month is)
local function read_keep(word)
  local terms, id, key, ends = KEEP_TERMS[word()], word(), word(), word()
  return { kind = 'keep', terms = terms, id = id, stamp = stamp_of(id, terms.day), day = terms.day, key = key, ends = ends }
end

-- Refuses a keep for a month whose ledger is closed: it may have been counted, and the store has forgotten its id.
local function if_closed(a, month)
  local closed = a.own .. ':closed'
  if a.through == nil then a.through = try('HGET', closed, 'through') end
  if a.through == nil then return 'unexpected|' .. closed end
  return a.through and order_of(a.through) >= order_of(month) and 'closed'
end

local function keep(a, op)
  local ended, open, terms = a.ended[op.id], a.open[op.id], op.terms
  if ended then return ended end
  if not open then
    if not a.exists then return 'no_account' end
    local refusal = if_closed(a, terms.month)
    if refusal then return refusal end
    a.unprepared[#a.unprepared + 1] = op
  end
  local cycle = a.moved[terms.cycle] or terms.cycle
  count_in(a, terms.counter)
  if cycle ~= '' then count_in(a, terms.of_cycle .. cycle) end
  if op.key ~= '' then count_in(a, 'key_usage:' .. op.key .. ':' .. terms.month) end
  if terms.pool == 'prepaid' then a.spent, a.prepaid = a.spent + 1, a.prepaid and a.prepaid - 1 end
  local entries = a.entries[terms.month] or {}
  a.entries[terms.month] = entries
  entries[#entries + 1] = op.id .. terms.of .. cycle .. '|' .. op.key .. '|' .. op.ends
  close(a, op, 'kept')
  return 'kept'
end
