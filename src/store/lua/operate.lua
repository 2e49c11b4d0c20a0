-- operate: makes an account's operations one after another, whatever they are, and writes what they come to. Gives an answer for
-- each, and how many open holds were looked at one by one.

-- Prepares what the keeps of new holds rely on. Gives the faulty key.
local function prepare_holds(a, change, fields)
  local window = a.window
  local of_window, day = window.prepared, a.counted:match('[^|]*$')
  local function before(counter)
    if counter == 'prepaid' then return a.prepaid + a.spent end
    return (a.count[counter] or 0) - (a.raises[counter] or 0)
  end
  local faulty
  if a.counted:sub(1, #of_window) ~= of_window then
    faulty = prepare(change, a.own, window.month, window.cycle, a.puts[1].id, a.now(), before)
    day = nil
  end
  for _, op in ipairs(a.puts) do
    if not faulty and (op.day ~= day or not op.stamp) then
      faulty, day = prepare_day(change, a.own, op.day), op.day
    end
    if not faulty and op.key ~= '' and a.keys[op.key] ~= window.month then
      local counter = 'key_usage:' .. op.key .. ':' .. window.month
      faulty = adopt_once(change, a.own, window.month, op.id, a.now(), counter, before(counter))
      a.keys[op.key] = window.month
      fields[#fields + 1], fields[#fields + 2] = 'counted:' .. op.key, window.month
    end
    if faulty then return faulty end
  end
  local counted = of_window .. day
  if counted ~= a.counted then fields[#fields + 1], fields[#fields + 2] = 'counted', counted end
end

-- The same for a keep whose hold is not open: its lease has ended, or it was lost.
local function prepare_late(a, change, op)
  local value_of = standing_value(a.own)
  local month, cycle = op.terms.month, a.moved[op.terms.cycle] or op.terms.cycle
  local faulty = prepare(change, a.own, month, cycle, op.id, a.now(), value_of)
  if not faulty and op.key ~= '' then
    local counter = 'key_usage:' .. op.key .. ':' .. month
    faulty = adopt_once(change, a.own, month, op.id, a.now(), counter, value_of(counter))
  end
  return faulty or prepare_day(change, a.own, op.day)
end

-- Every second one of a list, from the first on.
local function firsts_of(list)
  local firsts = {}
  for i = 1, #list, 2 do firsts[#firsts + 1] = list[i] end
  return firsts
end

-- Remembers how operations ended. Gives the faulty key.
local function write_ended(a, change)
  for ended, days in pairs(a.settled) do
    for day, list in pairs(days) do
      local name = settled_name(a.own, ended, day)
      local new = change.step(#list == 2 and 'HSETNX' or 'HSET', name, unpack(list))
      if not new or new == 0 then return name end
      change.back('HDEL', name, unpack(firsts_of(list)))
      if ended == 'released' then redis.call('EXPIRE', name, RELEASED_FOR, 'NX') end
    end
  end
end

-- Takes the holds away that were settled. Gives the faulty key.
local function write_closed(a, change)
  if #a.closed == 0 then return end
  if not change.step('HDEL', a.holds, unpack(firsts_of(a.closed))) then return a.holds end
  change.back('HSET', a.holds, unpack(a.closed))
end

-- Counts. Gives the faulty key, after 'not_integer|' where it is a counter; or 'no_account'.
local function write_counts(a, change)
  for counter, by in pairs(a.raises) do
    local name = a.own .. ':' .. counter
    if not raise(change, name, by) then return 'not_integer|' .. name end
  end
  if a.spent > 0 then
    local field = 'prepaid_credits'
    local left = redis.pcall('HINCRBY', a.own, field, -a.spent)
    if type(left) == 'table' then
      local stands = try('HGET', a.own, field)
      if not stands or not whole(stands) then return 'not_integer|' .. a.own .. ' ' .. field end
      left = redis.call('HSET', a.own, field, text(whole(stands) - a.spent))
    end
    change.back('HINCRBY', a.own, field, a.spent)
    -- Only a late keep brings a balance below 0, or one of an account that is gone.
    if left < 0 and redis.call('HLEN', a.own) == 1 then
      change.undo()
      redis.call('HDEL', a.own, field)
      return 'no_account'
    end
  end
  for month, entries in pairs(a.entries) do
    local ledger = ledger_name(a.own, month)
    for _, served in ipairs(entries) do
      local id = change.made(add_entry(ledger, served))
      if not id then return ledger end
      change.back('XDEL', ledger, id)
    end
  end
end

-- Writes the new holds and the account's own fields. Gives the faulty key.
local function write_holds(a, change, fields)
  if #a.puts > 0 then
    local records, ids = {}, {}
    for i, op in ipairs(a.puts) do
      ids[i] = op.id
      if a.taken[op.id] then records[#records + 1], records[#records + 2] = op.id, a.taken[op.id] end
    end
    if #records > 0 and not change.step('HSET', a.holds, unpack(records)) then return a.holds end
    change.back('HDEL', a.holds, unpack(ids))
  end
  if a.is_changed then
    if a.records and a.was.mixed and not a.mixed then a.mixed = 0 end
    if a.newest ~= a.was.newest then fields[#fields + 1], fields[#fields + 2] = 'newest', a.newest end
    for _, name in ipairs({ 'arrival', 'oldest', 'mixed' }) do
      if a[name] and a[name] ~= a.was[name] then
        fields[#fields + 1], fields[#fields + 2] = name, text(a[name])
      end
    end
    local gone = {}
    for _, id in ipairs(a.expired) do if not a.open[id] then gone[#gone + 1] = id end end
    if #fields > 0 then redis.call('HSET', a.own, unpack(fields)) end
    for i = 1, #gone, 1000 do redis.call('HDEL', a.holds, unpack(gone, i, math.min(i + 999, #gone))) end
  end
end

-- Notes the newest id of those that ended without a hold: a hold may still come under it.
local function write_newest(a)
  if not a.unknown then return end
  if a.exists == nil then a.exists = redis.call('EXISTS', a.own) == 1 end
  if a.exists and a.unknown > (redis.call('HGET', a.own, 'newest') or '') then
    redis.call('HSET', a.own, 'newest', a.unknown)
  end
end

-- Writes what the operations have come to, all of it or nothing. Gives the faulty key, if it is of another type; or
-- 'no_account'.
local function write(a)
  local change, fields, faulty = transaction(), {}, nil
  if #a.puts > 0 then faulty = prepare_holds(a, change, fields) end
  for _, op in ipairs(a.unprepared) do faulty = faulty or prepare_late(a, change, op) end
  faulty = faulty or write_ended(a, change) or write_closed(a, change) or write_counts(a, change)
    or write_holds(a, change, fields)
  if faulty then change.undo() else write_newest(a) end
  return faulty
end

local OPERATIONS = { hold = hold, keep = keep, release = release }
local READERS = { hold = read_hold, keep = read_keep, release = read_release }

-- Makes all operations of one account, or each alone where one of them stands in the way of the others.
local function operate(own, window, ops, now, plan, values)
  local answers, looked_at, alone = {}, 0, nil
  local a, faulty = read_standing(own, window, now, ops, plan, values)
  if not faulty then
    for i, op in ipairs(ops) do answers[i] = OPERATIONS[op.kind](a, op) end
    faulty = write(a)
  end
  looked_at = a.looked_at or 0
  if not faulty then return answers, looked_at end
  if #ops == 1 then
    local is_answer = faulty == 'no_account' or faulty:find('^not_integer|')
    return { is_answer and faulty or 'unexpected|' .. faulty }, looked_at
  end
  for i, op in ipairs(ops) do
    alone, a.looked_at = operate(own, op.kind == 'hold' and window or nil, { op }, now)
    answers[i], looked_at = alone[1], looked_at + a.looked_at
  end
  return answers, looked_at
end

return function(own, window, count, now, word, plan, values)
  local ops = {}
  for i = 1, count do ops[i] = READERS[word()](word) end
  return operate(own, window, ops, now, plan, values)
end
