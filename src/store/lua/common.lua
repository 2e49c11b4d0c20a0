-- common: what many operations of a call have in common. Each is told once, and named by its place in its list.

-- The present of accounts with the same period: the period fields that the gateway saw; from when until when (µs) all that
-- follows is so; credits of an account that has fallen to the default plan, else ''; month; cycle or ''; ends of the window
-- and of the month (µs).
local function read_window(word)
  local window = { seen = word(), from = tonumber(word()), to = tonumber(word()), credits = tonumber(word()), month = word(),
    cycle = word(), ends = tonumber(word()), month_ends = tonumber(word()) }
  window.prepared = window.month .. '|' .. window.cycle .. '|'
  window.counters = counters_of(window.month, window.cycle)
  local app = window.cycle == '' and 1 or 4
  window.app, window.api = window.counters[app], window.counters[app + 1]
  return window
end

-- Terms of holds: the ids' day   channel   lease (µs)   µs between two requests, '' without a short-term limit   µs that the
-- whole bucket holds   cap of the key or ''
local function read_hold_terms(word, now)
  local terms = { day = word(), channel = word(), lease = word(), interval = tonumber(word()), whole = tonumber(word()),
    cap = tonumber(word()) }
  terms.ends = now() + terms.lease
  terms.ends_text = text(terms.ends)
  return terms
end

-- Terms of keeps: the ids' day   channel   pool   month   cycle or ''   lease (µs)
local function read_keep_terms(word)
  local terms = { day = word(), channel = word(), pool = word(), month = word(), cycle = word(), lease = word() }
  local usage = (terms.pool == 'prepaid' and 'prepaid' or terms.channel) .. '_usage:'
  terms.counter, terms.of_cycle = usage .. terms.month, usage .. 'cycle:'
  terms.of = '|' .. terms.channel .. '|' .. terms.pool .. '|' .. terms.month .. '|'
  return terms
end

local WINDOWS, HOLD_TERMS, KEEP_TERMS = {}, {}, {}

local function read_common(word, now)
  for i = 1, tonumber(word()) do WINDOWS[tostring(i)] = read_window(word) end
  for i = 1, tonumber(word()) do HOLD_TERMS[tostring(i)] = read_hold_terms(word, now) end
  for i = 1, tonumber(word()) do KEEP_TERMS[tostring(i)] = read_keep_terms(word) end
end

-- What holds must know of an account. After these comes what it is prepared for of a key's.
local FIELDS = { 'credits', 'prepaid_credits', 'arrival', 'newest', 'oldest', 'mixed', 'counted', unpack(PERIOD) }
local OF_PERIOD, OF_KEY = #FIELDS - #PERIOD + 1, #FIELDS + 1

-- Reads counters: their texts, false for none, 'no text' for what is of another type.
local function read_counters_of(names)
  local values, absent = redis.call('MGET', unpack(names)), {}
  for i, value in ipairs(values) do
    if not value then absent[#absent + 1] = names[i] end
  end
  if #absent > 0 and redis.call('EXISTS', unpack(absent)) > 0 then
    for i, value in ipairs(values) do
      if not value and redis.call('EXISTS', names[i]) == 1 then values[i] = 'no text' end
    end
  end
  return values
end

-- A number that only scripts write.
local function own_number(value)
  return value and not value:find('%D') and tonumber(value) or nil
end

-- Burst::judge, from an earlier request's arrival or nil. Gives the new arrival, or nil and how long to wait.
local function judge(now, before, interval, whole_bucket)
  local furthest = now + whole_bucket
  if not before then before = now elseif before > furthest then before = furthest - interval end
  local next = math.max(before, now) + interval
  if next > furthest then return nil, next - furthest end
  return next
end

-- What is written of a new hold.
local function record_for(terms, pool, window, key)
  return terms.channel .. '|' .. pool .. '|' .. window.prepared .. terms.lease .. '|' .. key .. '|' .. terms.ends_text
end

-- What the open hold says that a keep is for.
local function record_of(terms, key, ends)
  return terms.channel .. '|' .. terms.pool .. '|' .. terms.month .. '|' .. terms.cycle .. '|' .. terms.lease .. '|' .. key
    .. '|' .. ends
end

-- Adds to a ledger that a picture was served. Gives the entry's id, or the error.
local function add_entry(ledger, served)
  if ARGV[1] == '' then return redis.pcall('XADD', ledger, '*', 'served', served) end
  return redis.pcall('XADD', ledger, '*', 'served', served, 'at', ARGV[1])
end
