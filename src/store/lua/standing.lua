-- standing: what is read of an account for one call's operations, and what they come to before anything is written.
--
-- a.open, a.ended        records of open holds and ends of settled operations, by id, as far as the operations ask for them
-- a.count                counters of the window and of keys, by name without the account's own
-- a.held, a.held_prepaid, a.held_by   open holds on the window's included credits, on prepaid ones, and by key in the month
-- a.records              every open hold, by id; nil where their number was enough
-- a.puts, a.taken, a.closed, a.settled, a.raises, a.entries, a.spent, a.unprepared   what is to be written

local function is_of_window(window, month, cycle)
  if window.cycle ~= '' then return cycle == window.cycle end
  return month == window.month
end

-- Counts an open hold in or out.
local function weigh(a, record, by)
  if not a.window then return end
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
  local of = a.window.cycle ~= '' and 'cycle:' .. a.window.cycle or a.window.month
  return math.max(a.count['app_usage:' .. of], 0) + math.max(a.count['api_usage:' .. of], 0)
end

-- Counts one picture.
local function count_in(a, counter)
  a.raises[counter] = (a.raises[counter] or 0) + 1
  if a.count[counter] then a.count[counter] = a.count[counter] + 1 end
end

local function put(a, op, record, pool, ends)
  if a.open[op.id] and a.records then a.records[op.id] = nil end
  a.puts[#a.puts + 1] = { op, record }
  a.open[op.id], a.taken[op.id] = record, true
  if a.records then a.records[op.id] = record end
  weigh(a, record, 1)
  a.is_changed = true
  if pool == 'prepaid' then a.mixed = math.max(a.mixed or 0, ends) end
  if not a.oldest or a.oldest > ends then a.oldest = ends end
  if op.stamp and op.stamp > (a.newest or 0) then a.newest = op.stamp end
end

-- Ends an operation.
local function close(a, op, ended)
  local open = a.open[op.id]
  if open then
    -- One whose lease has ended was not counted.
    if not a.records or a.records[op.id] then weigh(a, open, -1) end
    -- One that was taken in the same call is not written at all.
    if a.taken[op.id] then a.taken[op.id] = nil else a.closed[#a.closed + 1] = { op.id, open } end
    if a.records then a.records[op.id] = nil end
  elseif op.stamp then
    a.unknown = math.max(a.unknown or 0, op.stamp)
  end
  a.open[op.id], a.ended[op.id] = nil, ended
  a.settled[#a.settled + 1] = { op, ended }
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
    if op.kind == 'keep' and op.cycle ~= '' and a.moved[op.cycle] == nil then
      local name = a.own .. ':moved_cycles'
      local to = try('HGET', name, op.cycle)
      if to == nil then return name end
      a.moved[op.cycle] = to
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

local FIELDS = { 'credits', 'prepaid_credits', 'arrival', 'newest', 'oldest', 'mixed', 'counted' }

-- Reads the account's fields. Gives the faulty key, if it is of another type.
local function read_fields(a, ops)
  local names = {}
  for _, name in ipairs(PERIOD) do names[#names + 1] = name end
  for _, name in ipairs(FIELDS) do names[#names + 1] = name end
  local keys, last = {}, #names
  for _, op in ipairs(ops) do
    if op.kind == 'hold' and op.key ~= '' and not a.keys[op.key_name] then
      keys[#keys + 1], names[#names + 1], a.keys[op.key_name] = op.key_name, 'counted:' .. op.key_name, ''
    end
  end
  local found = try('HMGET', a.own, unpack(names))
  if not found then return a.own end
  for i, key in ipairs(keys) do a.keys[key] = found[last + i] or '' end
  a.period, a.exists = {}, false
  for i = 1, last do a.exists = a.exists or found[i] ~= false end
  for i = 1, #PERIOD do a.period[i] = found[i] or '' end
  local at = #PERIOD
  a.exists = a.exists or redis.call('EXISTS', a.own) == 1
  a.credits, a.prepaid = whole(found[at + 1] or '0'), whole(found[at + 2] or '0')
  local function number(value) return value and not value:find('%D') and tonumber(value) or nil end
  a.arrival, a.newest = number(found[at + 3]), number(found[at + 4])
  a.oldest, a.mixed, a.counted = number(found[at + 5]), number(found[at + 6]), found[at + 7] or ''
  a.was = { arrival = a.arrival, newest = a.newest, oldest = a.oldest, mixed = a.mixed }
end

-- Reads the counters of the window and of the keys. Where one is no whole number, that is the answer.
local function read_counters(a)
  local counters = counters_of(a.window.month, a.window.cycle)
  local fixed = #counters
  for key in pairs(a.keys) do counters[#counters + 1] = 'key_usage:' .. key .. ':' .. a.window.month end
  local names = {}
  for i, counter in ipairs(counters) do names[i] = a.own .. ':' .. counter end
  local values, absent = redis.call('MGET', unpack(names)), {}
  for i, value in ipairs(values) do
    if not value then absent[#absent + 1] = names[i] end
  end
  -- What is there all the same is no text.
  local others = #absent > 0 and redis.call('EXISTS', unpack(absent)) > 0
  for i, value in ipairs(values) do
    local number
    if value then number = whole(value) elseif not others or redis.call('EXISTS', names[i]) == 0 then number = 0 end
    if number then a.count[counters[i]] = number elseif i <= fixed then a.answer = 'not_integer|' .. names[i] end
  end
end

-- Reads every open hold; those whose lease has ended are to go.
local function read_records(a)
  local all = try('HGETALL', a.holds)
  if not all then
    a.answer = 'unexpected|' .. a.holds
    return
  end
  a.records, a.held, a.held_prepaid, a.held_by, a.oldest, a.mixed = {}, 0, 0, {}, nil, nil
  a.looked_at = #all / 2
  for i = 1, #all, 2 do
    local id, record = all[i], all[i + 1]
    local _, pool, month, cycle, _, _, ends = parse(record)
    ends = tonumber(ends)
    if not ends or ends <= a.now then
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
  local holds, used, of_window = 0, used_of(a), a.window.month .. '|' .. a.window.cycle .. '|'
  local one_by_one = used >= a.credits or (a.mixed and a.mixed > a.now) or (a.oldest and a.oldest <= a.now)
    or a.counted:sub(1, #of_window) ~= of_window
  for _, op in ipairs(ops) do
    if op.kind == 'hold' then
      holds = holds + 1
      local of_key = op.cap and a.count['key_usage:' .. op.key_name .. ':' .. a.window.month]
      -- Where the cap leaves fewer than the account has, the key's own open holds matter.
      one_by_one = one_by_one or of_key and op.cap - of_key <= a.credits - used + math.max(a.prepaid, 0)
    end
  end
  a.mixed = nil
  if not one_by_one then
    a.held = try('HLEN', a.holds) or 0
    one_by_one = used + a.held + holds > a.credits
  end
  if one_by_one then read_records(a) end
end

-- Everything that the operations need. Gives the faulty key, if it is of another type.
local function read_standing(own, window, now, ops)
  local a = { own = own, holds = own .. ':holds', window = window, now = now, open = {}, ended = {}, count = {}, keys = {},
    held = 0, held_prepaid = 0, held_by = {}, first = {}, moved = {}, expired = {}, puts = {}, taken = {}, closed = {},
    settled = {}, raises = {}, entries = {}, spent = 0, unprepared = {} }
  local faulty
  if window then faulty = read_fields(a, ops) end
  faulty = faulty or read_operations(a, ops)
  if faulty or not window then return a, faulty end
  if not a.exists then
    a.answer = 'no_account'
  elseif now < window.from or now >= window.to or table.concat(a.period, '|') ~= window.seen then
    a.answer = 'stale|' .. text(now) .. '|' .. table.concat(a.period, '|')
  elseif not a.credits or not a.prepaid then
    a.answer = 'not_integer|' .. own .. (a.credits and ' prepaid_credits' or ' credits')
  else
    a.credits = window.credits or math.max(a.credits, 0)
    read_counters(a)
    if not a.answer then read_holds(a, ops) end
  end
  return a
end
