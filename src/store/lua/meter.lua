-- meter: any number of holds, keeps and releases, of any number of accounts, each account's in their order.
--
-- A script, because every operation must happen at once or not at all; one for many, because the number of scripts and of
-- calls in them is what a Redis spends its time on. What is wrong with an account's own keys is answered to the operations
-- that need them, after everything else of them is undone; an error of the server's ends the script.
--
-- KEYS  the accounts
-- ARGV  1 now or ''   for each account: how many operations; if one of them is a hold '1' and the window of the present (see
--       read_window), else ''; the operations, each by its kind and its words (see hold, keep and release)
-- Gives an answer for each operation, in words with | between them: what hold, keep and release say, or
--       unexpected|a key of another type   not_integer|what cannot be added to
--       then for each account, how many open holds were looked at one by one
local function read_window(word)
  -- The period fields that the gateway saw; from when until when (µs) all that follows is so; credits of an account that has
  -- fallen to the default plan, else ''; month; cycle or ''; ends of the window and of the month (µs).
  return { seen = word(), from = tonumber(word()), to = tonumber(word()), credits = tonumber(word()), month = word(),
    cycle = word(), ends = tonumber(word()), month_ends = tonumber(word()) }
end

-- Prepares what the keeps of new holds rely on. Gives the faulty key.
local function prepare_holds(a, change, now, fields)
  local window = a.window
  local of_window, day = window.month .. '|' .. window.cycle .. '|', a.counted:match('[^|]*$')
  local function before(counter)
    if counter == 'prepaid' then return a.prepaid + a.spent end
    return (a.count[counter] or 0) - (a.raises[counter] or 0)
  end
  local faulty
  if a.counted:sub(1, #of_window) ~= of_window then
    faulty = prepare(change, a.own, window.month, window.cycle, a.puts[1][1].id, now(), before)
    day = nil
  end
  for _, new in ipairs(a.puts) do
    local op = new[1]
    if not faulty and (op.day ~= day or not op.stamp) then
      faulty, day = prepare_day(change, a.own, op.day), op.day
    end
    if not faulty and op.key ~= '' and a.keys[op.key_name] ~= window.month then
      local counter = 'key_usage:' .. op.key_name .. ':' .. window.month
      faulty = adopt_once(change, a.own, window.month, op.id, now(), counter, before(counter))
      a.keys[op.key_name] = window.month
      fields[#fields + 1], fields[#fields + 2] = 'counted:' .. op.key_name, window.month
    end
    if faulty then return faulty end
  end
  local counted = of_window .. day
  if counted ~= a.counted then fields[#fields + 1], fields[#fields + 2] = 'counted', counted end
end

-- The same for a keep whose hold is not open: its lease has ended, or it was lost.
local function prepare_late(a, change, now, op)
  local value_of = standing_value(a.own)
  local cycle = op.cycle ~= '' and a.moved[op.cycle] or op.cycle
  local faulty = prepare(change, a.own, op.month, cycle, op.id, now(), value_of)
  if not faulty and op.key ~= '' then
    local counter = 'key_usage:' .. op.key_name .. ':' .. op.month
    faulty = adopt_once(change, a.own, op.month, op.id, now(), counter, value_of(counter))
  end
  return faulty or prepare_day(change, a.own, op.day)
end

-- Remembers how operations ended. Gives the faulty key.
local function write_ended(a, change, now)
  local by_name = {}
  for _, done in ipairs(a.settled) do
    local op, name = done[1], settled_name(a.own, done[2], done[1].day)
    local list = by_name[name] or {}
    by_name[name] = list
    list[#list + 1], list[#list + 2] = op.id, op.stamp and '' or text(now())
  end
  for name, list in pairs(by_name) do
    local new = change.step(#list == 2 and 'HSETNX' or 'HSET', name, unpack(list))
    if not new then return name end
    if new == 0 then return 'guess' end
    local ids = {}
    for i = 1, #list, 2 do ids[#ids + 1] = list[i] end
    change.back('HDEL', name, unpack(ids))
    if name:find(':released:', 1, true) then redis.call('EXPIRE', name, RELEASED_FOR, 'NX') end
  end
end

-- Takes the holds away that were settled. Gives the faulty key.
local function write_closed(a, change)
  if #a.closed == 0 then return end
  local ids, pairs_of = {}, {}
  for i, closed in ipairs(a.closed) do
    ids[i], pairs_of[2 * i - 1], pairs_of[2 * i] = closed[1], closed[1], closed[2]
  end
  local gone = change.step('HDEL', a.holds, unpack(ids))
  if not gone then return a.holds end
  if gone < #ids then return 'guess' end
  change.back('HSET', a.holds, unpack(pairs_of))
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
  for _, entry in ipairs(a.entries) do
    local ledger = a.own .. ':ledger:' .. entry[1]
    local id
    if ARGV[1] == '' then
      id = change.step('XADD', ledger, '*', 'served', entry[2])
    else
      id = change.step('XADD', ledger, '*', 'served', entry[2], 'at', ARGV[1])
    end
    if not id then return ledger end
    change.back('XDEL', ledger, id)
  end
end

-- Writes the new holds and the account's own fields. Gives the faulty key.
local function write_holds(a, change, fields)
  if #a.puts > 0 then
    local records, ids = {}, {}
    for i, new in ipairs(a.puts) do
      ids[i] = new[1].id
      if a.taken[new[1].id] then records[#records + 1], records[#records + 2] = new[1].id, new[2] end
    end
    if #records > 0 and not change.step('HSET', a.holds, unpack(records)) then return a.holds end
    change.back('HDEL', a.holds, unpack(ids))
  end
  if a.is_changed then
    if a.records and a.was.mixed and not a.mixed then a.mixed = 0 end
    for _, name in ipairs({ 'arrival', 'newest', 'oldest', 'mixed' }) do
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
  local newest = a.exists and tonumber(redis.call('HGET', a.own, 'newest') or '0') or math.huge
  if a.unknown > newest then redis.call('HSET', a.own, 'newest', text(a.unknown)) end
end

-- Writes what the operations have come to, all of it or nothing. Gives the faulty key, if it is of another type; 'guess', if
-- the hold was not open as was guessed; or 'no_account'.
local function write(a, now)
  local change, fields, faulty = transaction(), {}, nil
  if #a.puts > 0 then faulty = prepare_holds(a, change, now, fields) end
  for _, op in ipairs(a.unprepared) do faulty = faulty or prepare_late(a, change, now, op) end
  faulty = faulty or write_ended(a, change, now) or write_closed(a, change) or write_counts(a, change)
    or write_holds(a, change, fields)
  if faulty then change.undo() else write_newest(a) end
  return faulty
end

local OPERATIONS, READERS = { hold = hold, keep = keep, release = release },
  { hold = read_hold, keep = read_keep, release = read_release }

-- Open holds of the account that were looked at one by one.
local looked_at = 0

-- Makes all operations of one account, or each alone where one of them stands in the way of the others.
local function operate(own, window, ops, now, guess)
  local answers, a, faulty = {}, nil, nil
  if guess then
    -- Nearly every keep finds its hold open: what proves it is that the hold could be taken away.
    local op = ops[1]
    a = read_standing(own, nil, nil, {})
    a.open[op.id] = record_of(op)
    if op.cycle ~= '' then a.moved[op.cycle] = redis.call('HGET', own .. ':moved_cycles', op.cycle) end
  else
    a, faulty = read_standing(own, window, window and now(), ops)
  end
  if not faulty then
    for i, op in ipairs(ops) do answers[i] = OPERATIONS[op.kind](a, op) end
    faulty = write(a, now)
  end
  looked_at = looked_at + (a.looked_at or 0)
  if not faulty then return answers end
  if guess and faulty == 'guess' then return operate(own, window, ops, now, false) end
  if #ops == 1 then
    local is_answer = faulty == 'no_account' or faulty:find('^not_integer|')
    return { is_answer and faulty or 'unexpected|' .. faulty }
  end
  for i, op in ipairs(ops) do
    answers[i] = operate(own, op.kind == 'hold' and window or nil, { op }, now, op.kind == 'keep')[1]
  end
  return answers
end

local at, moment, answers, costs = 1, nil, {}, {}
local function word()
  at = at + 1
  return ARGV[at]
end
local function now()
  moment = moment or clock(ARGV[1])
  return moment
end
for _, own in ipairs(KEYS) do
  local ops, count, window = {}, tonumber(word()), nil
  if word() == '1' then window = read_window(word) end
  for i = 1, count do ops[i] = READERS[word()](word) end
  looked_at = 0
  for _, answer in ipairs(operate(own, window, ops, now, count == 1 and ops[1].kind == 'keep')) do
    answers[#answers + 1] = answer
  end
  costs[#costs + 1] = text(looked_at)
end
for _, cost in ipairs(costs) do answers[#answers + 1] = cost end
return answers
