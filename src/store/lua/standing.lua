-- standing: what is read of an account for one call's operations, and what they come to before anything is written.
--
-- a.open, a.ended        records of open holds and ends of settled operations, by id, as far as the operations ask for them
-- a.count                counters of the window and of keys, by name without the account's own
-- a.held, a.held_prepaid, a.held_by   open holds on the window's included credits, on prepaid ones, and by key in the month
-- a.records              every open hold, by id; nil where their number was enough
-- what is to be written:
-- a.puts, a.taken        operations with new holds, and the records of those that are still open then
-- a.closed               ids and records of holds that were open before, by turns
-- a.settled              by how they ended, then by day: ids and values, by turns
-- a.raises, a.spent      counters and by how much, prepaid credits
-- a.entries              by month: what is told of pictures served
-- a.unprepared           keeps whose hold was not open

local function is_of_window(window, month, cycle)
  if window.cycle ~= '' then return cycle == window.cycle end
  return month == window.month
end

-- Counts an open hold in or out. Where holds are counted by their number, all are on the window's included credits.
local function weigh(a, record, by)
  if not a.records then
    a.held = a.held + by
    return
  end
  a.first = {}
  local _, pool, month, cycle, _, key = parse(record)
  if pool == 'prepaid' then
    a.held_prepaid = a.held_prepaid + by
  elseif is_of_window(a.window, month, cycle) then
    a.held = a.held + by
  end
  if key ~= '' and month == a.window.month then a.held_by[key] = (a.held_by[key] or 0) + by end
end

-- Included credits that the window has used.
local function used_of(a)
  return math.max(a.count[a.window.app], 0) + math.max(a.count[a.window.api], 0)
end

-- Counts one picture.
local function count_in(a, counter)
  a.raises[counter] = (a.raises[counter] or 0) + 1
  if a.count[counter] then a.count[counter] = a.count[counter] + 1 end
end

local function put(a, op, record, pool, ends)
  a.puts[#a.puts + 1] = op
  a.open[op.id], a.taken[op.id] = record, record
  if a.records then a.records[op.id] = record end
  weigh(a, record, 1)
  a.is_changed = true
  if pool == 'prepaid' then a.mixed = math.max(a.mixed or 0, ends) end
  if not a.oldest or a.oldest > ends then a.oldest = ends end
  if op.stamp and op.stamp > (a.newest or '') then a.newest = op.stamp end
end

-- Ends an operation.
local function close(a, op, ended)
  local id, open = op.id, a.open[op.id]
  if open then
    -- One whose lease has ended was not counted.
    if not a.records or a.records[id] then weigh(a, open, -1) end
    -- One that was taken in the same call is not written at all.
    if a.taken[id] then a.taken[id] = nil else a.closed[#a.closed + 1], a.closed[#a.closed + 2] = id, open end
    if a.records then a.records[id] = nil end
  elseif op.stamp then
    if op.stamp > (a.unknown or '') then a.unknown = op.stamp end
  end
  a.open[id], a.ended[id] = nil, ended
  local of_day = a.settled[ended][op.day] or {}
  a.settled[ended][op.day] = of_day
  -- Of an id that does not tell when it began, when it ended is told.
  of_day[#of_day + 1], of_day[#of_day + 2] = id, op.stamp and '' or text(a.now())
end

-- Reads how operations ended that have no open hold. Gives the faulty key, if it is of another type.
local function read_ended(a, ops)
  for _, ended in ipairs({ 'kept', 'released' }) do
    local by_day = {}
    for _, op in ipairs(ops) do
      if not a.open[op.id] and not a.ended[op.id] then
        local of_day = by_day[op.day] or {}
        of_day[#of_day + 1], by_day[op.day] = op.id, of_day
      end
    end
    for day, ids in pairs(by_day) do
      local name = settled_name(a.own, ended, day)
      local found = try('HMGET', name, unpack(ids))
      if not found then return name end
      for i, id in ipairs(ids) do if found[i] then a.ended[id] = ended end end
    end
  end
end

-- Reads open holds and ends of all operations that may have them. Gives the faulty key, if it is of another type.
local function read_operations(a, ops)
  local asked, ids = {}, {}
  for _, op in ipairs(ops) do
    -- An id that is newer than any that was seen is new.
    if op.kind ~= 'hold' or not (op.stamp and a.newest and op.stamp > a.newest) then
      asked[#asked + 1], ids[#ids + 1] = op, op.id
    end
    local cycle = op.kind == 'keep' and op.terms.cycle or ''
    if cycle ~= '' and a.moved[cycle] == nil then
      local name = a.own .. ':moved_cycles'
      local to = try('HGET', name, cycle)
      if to == nil then return name end
      a.moved[cycle] = to
    end
  end
  if #asked == 0 then return end
  local found = try('HMGET', a.holds, unpack(ids))
  if not found then return a.holds end
  for i, id in ipairs(ids) do a.open[id] = found[i] or nil end
  local faulty, closing = read_ended(a, asked), false
  for _, op in ipairs(asked) do closing = closing or op.kind == 'keep' and not a.open[op.id] and not a.ended[op.id] end
  if closing and a.exists == nil then a.exists = redis.call('EXISTS', a.own) == 1 end
  return faulty
end

-- Reads the account's fields, unless they are read. Gives the faulty key, if it is of another type.
local function read_fields(a, ops, found)
  local names, keys = { unpack(FIELDS, 1, OF_KEY - 1) }, {}
  for _, op in ipairs(ops) do
    if op.kind == 'hold' and op.key ~= '' and not a.keys[op.key] then
      keys[#keys + 1], names[#names + 1], a.keys[op.key] = op.key, 'counted:' .. op.key, ''
    end
  end
  found = found or try('HMGET', a.own, unpack(names))
  if not found then return a.own end
  for i, key in ipairs(keys) do a.keys[key] = found[OF_KEY + i - 1] or '' end
  a.exists = false
  for i = 1, OF_KEY - 1 do a.exists = a.exists or found[i] and found[i] ~= '' end
  a.exists = a.exists or redis.call('EXISTS', a.own) == 1
  a.credits, a.prepaid = whole(found[1] or '0'), whole(found[2] or '0')
  a.arrival, a.newest, a.oldest, a.mixed = own_number(found[3]), found[4] or nil, own_number(found[5]), own_number(found[6])
  a.counted = found[7] or ''
  for i = OF_PERIOD, OF_KEY - 1 do found[i] = found[i] or '' end
  a.period = table.concat(found, '|', OF_PERIOD, OF_KEY - 1)
  a.was = { arrival = a.arrival, newest = a.newest, oldest = a.oldest, mixed = a.mixed }
end

-- Reads the counters of the window and of the keys, unless they are read: the values from `first` on. Where one is no whole
-- number, that is the answer.
local function read_counters(a, values, first)
  local counters, names = { unpack(a.window.counters) }, {}
  local fixed = #counters
  for key in pairs(a.keys) do counters[#counters + 1] = 'key_usage:' .. key .. ':' .. a.window.month end
  for i, counter in ipairs(counters) do names[i] = a.own .. ':' .. counter end
  if not values then values, first = read_counters_of(names), 1 end
  for i, counter in ipairs(counters) do
    local number = values[first + i - 1] or 0
    if type(number) == 'string' then number = whole(number) end
    if number then a.count[counter] = number elseif i <= fixed then a.answer = 'not_integer|' .. names[i] end
  end
end

-- Reads every open hold; those whose lease has ended are to go.
local function read_records(a)
  local all = try('HGETALL', a.holds)
  if not all then
    a.answer = 'unexpected|' .. a.holds
    return
  end
  local now = a.now()
  a.records, a.held, a.held_prepaid, a.held_by, a.oldest, a.mixed = {}, 0, 0, {}, nil, nil
  a.looked_at = #all / 2
  for i = 1, #all, 2 do
    local id, record = all[i], all[i + 1]
    local _, pool, month, cycle, _, _, ends = parse(record)
    ends = tonumber(ends)
    if not ends or ends <= now then
      a.expired[#a.expired + 1] = id
    else
      a.records[id] = record
      weigh(a, record, 1)
      a.oldest = math.min(a.oldest or ends, ends)
      if pool == 'prepaid' or not is_of_window(a.window, month, cycle) then a.mixed = math.max(a.mixed or 0, ends) end
    end
  end
end

-- Counts the open holds: by their number, where every one of them is on the window's included credits and enough are left.
local function read_holds(a, ops)
  local now, used, of_window = a.now(), used_of(a), a.window.prepared
  local one_by_one = used >= a.credits or (a.mixed and a.mixed > now) or (a.oldest and a.oldest <= now)
    or a.counted:sub(1, #of_window) ~= of_window
  for _, op in ipairs(ops) do
    local cap = op.kind == 'hold' and op.terms.cap
    local of_key = cap and a.count['key_usage:' .. op.key .. ':' .. a.window.month]
    -- Where the cap leaves fewer than the account has, the key's own open holds matter.
    one_by_one = one_by_one or of_key and cap - of_key <= a.credits - used + math.max(a.prepaid, 0)
  end
  a.mixed = nil
  if not one_by_one then
    a.held = try('HLEN', a.holds) or 0
    -- A hold or a late keep is one more.
    one_by_one = used + a.held + #ops > a.credits
  end
  if one_by_one then read_records(a) end
end

-- Everything that the operations need, but for what is read already, where they have a plan. Gives the faulty key, if it is of
-- another type.
local function read_standing(own, window, now, ops, plan, values)
  local a = { own = own, holds = own .. ':holds', window = window, now = now, open = {}, ended = {}, count = {}, keys = {},
    held = 0, held_prepaid = 0, held_by = {}, first = {}, moved = {}, expired = {}, puts = {}, taken = {}, closed = {},
    settled = { kept = {}, released = {} }, raises = {}, entries = {}, spent = 0, unprepared = {} }
  local faulty
  if window then faulty = read_fields(a, ops, plan and plan.fields) end
  faulty = faulty or read_operations(a, ops)
  if faulty or not window then return a, faulty end
  if not a.exists then
    a.answer = 'no_account'
  elseif now() < window.from or now() >= window.to or a.period ~= window.seen then
    a.answer = 'stale|' .. text(now()) .. '|' .. a.period
  elseif not a.credits or not a.prepaid then
    a.answer = 'not_integer|' .. own .. (a.credits and ' prepaid_credits' or ' credits')
  else
    a.credits = window.credits or math.max(a.credits, 0)
    read_counters(a, plan and values, plan and plan.first)
    if not a.answer then read_holds(a, ops) end
  end
  return a
end
