-- keep: counts a hold of an account: counters, balance, ledger entry and what is remembered of the id.
--
-- In a script (meter), because all of it must happen at once and only once per operation id. Nothing of the account is read:
-- month and pool are those of the hold, the cycle that of the hold or where that was moved to, and the entry goes to the
-- ledger of the hold's month. Whether it came after its lease is told from the entry's own time.
--
-- Words  id   the moment in it (µs) or ''   its day   channel   pool   month   cycle or ''   lease (µs)   key or ''
--        the key in names of counters   end of the lease (µs)
-- Gives  kept   released   no_account   closed (the ledger of its month is)
local function read_keep(word)
  return { kind = 'keep', id = word(), stamp = tonumber(word()), day = word(), channel = word(), pool = word(),
    month = word(), cycle = word(), lease = word(), key = word(), key_name = word(), ends = word() }
end

local function record_of(op)
  return table.concat({ op.channel, op.pool, op.month, op.cycle, op.lease, op.key, op.ends }, '|')
end

-- Refuses a keep for a month whose ledger is closed: it may have been counted, and the store has forgotten its id.
local function if_closed(a, month)
  local closed = a.own .. ':closed'
  if a.through == nil then a.through = try('HGET', closed, 'through') end
  if a.through == nil then return 'unexpected|' .. closed end
  return a.through and order_of(a.through) >= order_of(month) and 'closed'
end

local function keep(a, op)
  local ended, open = a.ended[op.id], a.open[op.id]
  if ended then return ended end
  if not open then
    if not a.exists then return 'no_account' end
    local refusal = if_closed(a, op.month)
    if refusal then return refusal end
    a.unprepared[#a.unprepared + 1] = op
  end
  local cycle = op.cycle ~= '' and a.moved[op.cycle] or op.cycle
  local kind = op.pool == 'prepaid' and 'prepaid' or op.channel
  count_in(a, kind .. '_usage:' .. op.month)
  if cycle ~= '' then count_in(a, kind .. '_usage:cycle:' .. cycle) end
  if op.key ~= '' then count_in(a, 'key_usage:' .. op.key_name .. ':' .. op.month) end
  if op.pool == 'prepaid' then a.spent, a.prepaid = a.spent + 1, a.prepaid and a.prepaid - 1 end
  a.entries[#a.entries + 1] = { op.month,
    table.concat({ op.id, op.channel, op.pool, op.month, cycle, op.key, op.ends }, '|') }
  close(a, op, 'kept')
  return 'kept'
end
