-- hold: decides the short-term limit and the quota of an account and sets one credit aside.
--
-- In a script (meter), because deciding and setting aside must be one step: otherwise a burst spends the last credit twice.
--
-- Words  id   the moment in it (µs) or ''   its day   lease (µs)   µs between two requests, '' without a short-term limit
--        µs that the whole bucket holds   channel   key or ''   the key in names of counters   cap of the key or ''
-- Gives  held|arrival or ''|credits left|credits of the key left or '' for at least as many|record
--        again|record (a repeat)   settled|kept or released   no_account   stale|now|period fields   too_fast|µs
--        exhausted|µs|µs until the bucket is full or ''   not_integer|what cannot be added to
local function read_hold(word)
  return { kind = 'hold', id = word(), stamp = tonumber(word()), day = word(), lease = word(), interval = tonumber(word()),
    whole = tonumber(word()), channel = word(), key = word(), key_name = word(), cap = tonumber(word()) }
end

-- Burst::judge. Gives the new arrival, or nil and how long to wait.
local function judge(a, interval, whole_bucket)
  local furthest, before = a.now + whole_bucket, a.arrival
  if not before then before = a.now elseif before > furthest then before = furthest - interval end
  local next = math.max(before, a.now) + interval
  if next > furthest then return nil, next - furthest end
  return next
end

-- When the first lease of the open holds ends that are meant, if that is before `otherwise`. It stays so until one comes or goes.
local function earliest(a, what, otherwise, is_meant)
  if a.first[what] then return a.first[what] end
  for _, record in pairs(a.records) do
    local _, pool, month, cycle, _, key, ends = parse(record)
    ends = tonumber(ends)
    if ends > a.now and ends < otherwise and is_meant(pool, month, cycle, key) then otherwise = ends end
  end
  a.first[what] = otherwise
  return otherwise
end

-- Standing::frees_with_a_lease
local function free_again(a, used)
  local by_included, by_prepaid = a.held > 0 and used < a.credits, a.held_prepaid > 0 and a.prepaid > 0
  return earliest(a, (by_included and 1 or 0) + (by_prepaid and 2 or 0), a.window.ends, function(pool, month, cycle)
    if pool == 'prepaid' then return by_prepaid end
    return by_included and is_of_window(a.window, month, cycle)
  end)
end

local function hold(a, op)
  local ended, open = a.ended[op.id], a.open[op.id]
  if ended then return 'settled|' .. ended end
  if open and tonumber(open:match('%d+$')) > a.now then return 'again|' .. open end
  if a.answer then return a.answer end
  local key_counter = 'key_usage:' .. op.key_name .. ':' .. a.window.month
  if op.key ~= '' and not a.count[key_counter] then return 'not_integer|' .. a.own .. ':' .. key_counter end

  local arrival, full_in = '', ''
  if op.interval then
    local next, wait = judge(a, op.interval, op.whole)
    if not next then return 'too_fast|' .. text(wait) end
    a.arrival, a.is_changed, arrival, full_in = next, true, text(next), text(next - a.now)
  end
  local function exhausted(ends)
    return 'exhausted|' .. text(ends - a.now) .. '|' .. full_in
  end

  -- The key's cap, whichever pool its pictures come from.
  if op.cap then
    local used = a.count[key_counter]
    if op.cap - used - (a.held_by[op.key] or 0) < 1 then
      return exhausted(used < op.cap and earliest(a, op.key, a.window.month_ends, function(_, month, _, key)
        return key == op.key and month == a.window.month
      end) or a.window.month_ends)
    end
  end

  -- Standing::next_pool
  local used, pool = used_of(a), nil
  if used + a.held < a.credits then
    pool = 'included'
  elseif a.prepaid > a.held_prepaid then
    pool = 'prepaid'
  else
    return exhausted(free_again(a, used))
  end
  local ends = a.now + tonumber(op.lease)
  local record = table.concat({ op.channel, pool, a.window.month, a.window.cycle, op.lease, op.key, text(ends) }, '|')
  put(a, op, record, pool, ends)

  -- Standing::free
  local left = math.max(a.credits - used - a.held, 0) + math.max(math.max(a.prepaid, 0) - a.held_prepaid, 0)
  local left_of_key = op.cap and a.records and text(op.cap - a.count[key_counter] - (a.held_by[op.key] or 0)) or ''
  return table.concat({ 'held', arrival, text(left), left_of_key, record }, '|')
end
