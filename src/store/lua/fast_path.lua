-- fast_path: the way of nearly every call: holds of an account that is far from its limits, and keeps of open holds, all holds
-- and all keeps on the same terms and with the same key. What it does and answers is what `operate` does and answers. Where
-- anything is not so, it writes nothing, or takes all of it back: then `operate` decides.

-- Adds the names of the counters that holds must know of: they are read for all accounts at once.
local function add_counters(names, own, window, key)
  for _, counter in ipairs(window.counters) do names[#names + 1] = own .. ':' .. counter end
  if key ~= '' then names[#names + 1] = own .. ':key_usage:' .. key .. ':' .. window.month end
end

-- What they stand at, from the value at `first` on: the window's use of included credits, and the key's of any. nil if one is
-- no whole number.
local function use_of(window, key, values, first)
  local last = first + #window.counters - (key == '' and 1 or 0)
  for i = first, last do
    local number = values[i] == false and 0 or whole(values[i])
    if not number then return nil end
    values[i] = number
  end
  local app = window.cycle == '' and first or first + 3
  return math.max(values[app], 0) + math.max(values[app + 1], 0), values[last]
end

-- Whether an account's period is the one that the gateway saw.
local function is_seen(seen, fields)
  local is_none = true
  for i = OF_PERIOD, OF_KEY - 1 do
    is_none, fields[i] = is_none and not fields[i], fields[i] or ''
  end
  return is_none and seen == '|||||' or table.concat(fields, '|', OF_PERIOD, OF_KEY - 1) == seen
end

local function has_repeats(ids)
  local seen = {}
  for _, id in ipairs(ids) do
    if seen[id] then return true end
    seen[id] = true
  end
end

-- What an account has before a plan's holds; nil if it is not prepared for their keeps, or not far enough from its limits.
local function room_for(own, window, plan, now, values)
  local terms, ids, key = plan.hold_terms, plan.new, plan.hold_key
  FIELDS[OF_KEY] = 'counted:' .. key
  local fields = redis.pcall('HMGET', own, unpack(FIELDS))
  if fields.err then return nil end
  plan.fields = fields
  if fields[7] ~= window.prepared .. terms.day or key ~= '' and fields[OF_KEY] ~= window.month then return nil end
  if now < window.from or now >= window.to or not is_seen(window.seen, fields) then return nil end
  local newest = fields[4] or ''
  for _, id in ipairs(ids) do
    local stamp = stamp_of(id, terms.day)
    if not (stamp and fields[4] and stamp > fields[4]) then return nil end
    if stamp > newest then newest = stamp end
  end
  if #ids > 1 and has_repeats(ids) then return nil end

  local credits, prepaid = whole(fields[1] or '0'), whole(fields[2] or '0')
  local used, of_key = use_of(window, key, values, plan.first)
  if not credits or not prepaid or not used then return nil end
  credits, prepaid = window.credits or credits, math.max(prepaid, 0)
  local oldest, mixed = own_number(fields[5]), own_number(fields[6])
  if oldest and oldest <= now or mixed and mixed > now or used + #ids > credits then return nil end
  if terms.cap and terms.cap - of_key <= credits - used + prepaid then return nil end
  local held = redis.pcall('HLEN', own .. ':holds')
  if type(held) == 'table' or used + held + #ids > credits then return nil end
  local arrival = terms.interval and judge(now, own_number(fields[3]), terms.interval, terms.whole)
  -- Each arrives an interval after the one before it.
  if terms.interval and not (arrival and arrival + (#ids - 1) * terms.interval <= now + terms.whole) then return nil end
  return { left = credits - used - held + prepaid, arrival = arrival, oldest = oldest, newest = newest }
end

-- Writes a plan's holds, for which there is room, and answers each in its place after `last`.
local function take(own, room, window, plan, answers, last)
  local terms, ids, written, told = plan.hold_terms, plan.new, {}, ''
  local record = record_for(terms, 'included', window, plan.hold_key)
  for i, id in ipairs(ids) do
    written[#written + 1], written[#written + 2] = id, record
    if room.arrival then told = text(room.arrival + (i - 1) * terms.interval) end
    answers[last + plan.places[i]] = 'held|' .. told .. '|' .. text(room.left - i) .. '||' .. record
  end
  redis.call('HSET', own .. ':holds', unpack(written))
  if room.arrival then
    redis.call('HSET', own, 'newest', room.newest, 'arrival', told)
  else
    redis.call('HSET', own, 'newest', room.newest)
  end
  if not room.oldest or room.oldest > terms.ends then redis.call('HSET', own, 'oldest', terms.ends_text) end
end

-- Adds to a counter; not, where that is no longer exact.
local function add(counter, by)
  local value = redis.pcall('INCRBY', counter, by)
  if type(value) == 'table' or value < MOST then return type(value) == 'number' end
  redis.call('DECRBY', counter, by)
  return false
end

-- Takes that back.
local function lower(counter, by)
  if redis.call('DECRBY', counter, by) == 0 then redis.call('DEL', counter) end
end

-- Whether all of these holds are open. Of one alone, taking it away tells.
local function are_open(holds, ids)
  if #ids == 1 then return true end
  local found = redis.pcall('HMGET', holds, unpack(ids))
  if found.err or has_repeats(ids) then return false end
  for i = 1, #ids do
    if not found[i] then return false end
  end
  return true
end

-- Adds entries of pictures served to a ledger, all of them or none. Gives whether it did.
local function add_entries(ledger, served)
  for i, one in ipairs(served) do
    served[i] = add_entry(ledger, one)
    if type(served[i]) == 'table' then
      if i > 1 then redis.call('XDEL', ledger, unpack(served, 1, i - 1)) end
      return false
    end
  end
  return true
end

-- Makes a plan's keeps, if they are of open holds on included credits. Gives whether it did.
local function keep_open(own, plan)
  local terms, ids, key, ends = plan.keep_terms, plan.kept, plan.keep_key, plan.ends
  if terms.pool == 'prepaid' or terms.day == 'undated' then return false end
  local of_cycle = terms.cycle ~= '' and own .. ':' .. terms.of_cycle .. terms.cycle
  if of_cycle and redis.pcall('HGET', own .. ':moved_cycles', terms.cycle) then return false end
  local holds, kept, counter = own .. ':holds', settled_name(own, 'kept', terms.day), own .. ':' .. terms.counter
  local of_key, count = key ~= '' and own .. ':key_usage:' .. key .. ':' .. terms.month, #ids == 1 and '1' or text(#ids)
  if not are_open(holds, ids) or redis.pcall('HDEL', holds, unpack(ids)) ~= #ids then return false end

  local marks, served = {}, {}
  for i, id in ipairs(ids) do
    marks[#marks + 1], marks[#marks + 2] = id, ''
    served[i] = id .. terms.of .. terms.cycle .. '|' .. key .. '|' .. ends[i]
  end
  local new = redis.pcall('HSET', kept, unpack(marks))
  local failed = (type(new) == 'table' or new == 0) and 1
    or not add(counter, count) and 2
    or of_cycle and not add(of_cycle, count) and 3
    or of_key and not add(of_key, count) and 4
    or not add_entries(ledger_name(own, terms.month), served) and 5
  if not failed then return true end

  if failed > 4 and of_key then lower(of_key, count) end
  if failed > 3 and of_cycle then lower(of_cycle, count) end
  if failed > 2 then lower(counter, count) end
  if failed > 1 then redis.call('HDEL', kept, unpack(ids)) end
  for i, id in ipairs(ids) do redis.call('HSET', holds, id, record_of(terms, key, ends[i])) end
  return false
end

-- What an account's operations are, if all of them may go the fast path; else nil. Reads the words of all of them.
local function read_plan(count, word)
  local plan, is_alike = {}, true
  for i = 1, count do
    local kind, place, id = word(), word(), word()
    if kind == 'hold' then
      local key, terms = word(), HOLD_TERMS[place]
      if not plan.new then
        plan.new, plan.places, plan.hold_terms, plan.hold_key = { id }, { i }, terms, key
      else
        plan.new[#plan.new + 1], plan.places[#plan.places + 1] = id, i
        is_alike = is_alike and key == plan.hold_key and terms == plan.hold_terms
      end
    elseif kind == 'keep' then
      local key, terms = word(), KEEP_TERMS[place]
      if not plan.kept then
        plan.kept, plan.ends, plan.keep_terms, plan.keep_key = { id }, { word() }, terms, key
      else
        plan.kept[#plan.kept + 1], plan.ends[#plan.ends + 1] = id, word()
        is_alike = is_alike and key == plan.keep_key and terms == plan.keep_terms
      end
    else
      is_alike = false
    end
  end
  return is_alike and plan or nil
end

-- Makes an account's operations. Gives whether it did; their answers are those after `last`.
local function fast_path(own, window, plan, count, now, values, answers)
  local room, last = nil, #answers
  if plan.new then
    room = room_for(own, window, plan, now(), values)
    if not room then return false end
  end
  if plan.kept and not keep_open(own, plan) then return false end
  for i = 1, count do answers[last + i] = 'kept' end
  if room then take(own, room, window, plan, answers, last) end
  return true
end
