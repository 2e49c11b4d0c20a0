-- hold: decides the short-term limit and the quota of an account and sets one credit aside.
--
-- In a script (meter), because deciding and setting aside must be one step: otherwise a burst spends the last credit twice.
--
-- Words  its terms (see read_hold_terms)   id   key as names of counters have it, or ''
-- Gives  held|arrival or ''|credits left|credits of the key left or '' for at least as many|record
--        again|record (a repeat)   settled|kept or released   no_account   stale|now|period fields   too_fast|µs
--        exhausted|µs|µs until the bucket is full or ''   not_integer|what cannot be added to
local function read_hold(word)
  local terms, id, key = HOLD_TERMS[word()], word(), word()
  return { kind = 'hold', terms = terms, id = id, stamp = stamp_of(id, terms.day), day = terms.day, key = key }
end

-- When the first lease of the open holds ends that are meant, if that is before `otherwise`. It stays so until one comes or goes.
local function earliest(a, what, otherwise, is_meant)
  if a.first[what] then return a.first[what] end
  for _, record in pairs(a.records) do
    local _, pool, month, cycle, _, key, ends = parse(record)
    ends = tonumber(ends)
    if ends > a.now() and ends < otherwise and is_meant(pool, month, cycle, key) then otherwise = ends end
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

local function exhausted(a, arrival, ends)
  return 'exhausted|' .. text(ends - a.now()) .. '|' .. (arrival and text(arrival - a.now()) or '')
end

local function hold(a, op)
  local ended, open = a.ended[op.id], a.open[op.id]
  if ended then return 'settled|' .. ended end
  if open and tonumber(open:match('^.*|(%d+)$')) > a.now() then return 'again|' .. open end
  if a.answer then return a.answer end
  local terms, key_counter = op.terms, 'key_usage:' .. op.key .. ':' .. a.window.month
  if op.key ~= '' and not a.count[key_counter] then return 'not_integer|' .. a.own .. ':' .. key_counter end

  local arrival
  if terms.interval then
    local next, wait = judge(a.now(), a.arrival, terms.interval, terms.whole)
    if not next then return 'too_fast|' .. text(wait) end
    a.arrival, a.is_changed, arrival = next, true, next
  end

  -- The key's cap, whichever pool its pictures come from.
  if terms.cap then
    local used = a.count[key_counter]
    if terms.cap - used - (a.held_by[op.key] or 0) < 1 then
      return exhausted(a, arrival, used < terms.cap and earliest(a, op.key, a.window.month_ends, function(_, month, _, key)
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
    return exhausted(a, arrival, free_again(a, used))
  end
  local record = record_for(terms, pool, a.window, op.key)
  put(a, op, record, pool, terms.ends)

  -- Standing::free
  local left = math.max(a.credits - used - a.held, 0) + math.max(math.max(a.prepaid, 0) - a.held_prepaid, 0)
  local left_of_key = terms.cap and a.records and text(terms.cap - a.count[key_counter] - (a.held_by[op.key] or 0)) or ''
  return 'held|' .. (arrival and text(arrival) or '') .. '|' .. text(left) .. '|' .. left_of_key .. '|' .. record
end
