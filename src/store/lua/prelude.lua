-- What every script begins with. The scripts follow src/domain/{credit,quota}.rs to the letter: a change there is one here.
--
-- A script may name keys beside KEYS: those of the same account or client, which share its slot.

-- Settled operations are remembered for a week: a journal may hand in a keep that is days old. A release is remembered for
-- a day, in which any hold or keep under its id has long arrived: or who is refused all the time would fill the memory.
local SETTLED_FOR, RELEASED_FOR = 7 * 86400 * 1000000, 86400 * 1000000
-- What belongs to an anonymous client is forgotten by itself, a day after the last repeat that could matter (seconds).
local CLIENT_FOR = 8 * 86400

-- Microseconds since 1970: the server's clock, or what a test says.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- Whole numbers as text: Lua's own way writes 1.7e+15.
local function text(number)
  return string.format('%.0f', number)
end

-- Counts and balances stay below this: beyond it, neither a script nor a reader of JSON has whole numbers.
local MOST = 2 ^ 53

-- The whole number that a text spells, in whatever way other software may write it (12, 12.0, +12, 012, 1.2e1); nil for
-- anything else. src/store/whole.rs says the same.
local function whole(value)
  local sign, digits, rest = value:match('^%s*([+-]?)(%d+)(%S*)%s*$')
  if not digits then return nil end
  local number
  if rest:match('^%.?0*$') and (rest == '' or rest:sub(1, 1) == '.') then
    number = tonumber(digits)
  elseif rest:match('^%.?%d*[eE][+-]?%d+$') then
    -- With so few digits no fraction is rounded away.
    local mantissa = (digits .. rest:match('^%.?(%d*)')):gsub('^0+', '')
    number = tonumber(digits .. rest)
    if #mantissa > 15 or number >= 1e15 or number % 1 ~= 0 or (number == 0 and mantissa ~= '') then return nil end
  end
  if not number or number >= MOST then return nil end
  return sign == '-' and number ~= 0 and -number or number
end

-- The text under a name; false for none, nil for what is no text.
local function raw(name)
  local value = redis.pcall('GET', name)
  if type(value) == 'table' then return nil end
  return value
end

-- The whole number under a name; 0 for none, nil for anything else.
local function number_at(name)
  local value = raw(name)
  return value and whole(value) or value == false and 0 or nil
end

local function stored(key)
  return math.max(number_at(key) or 0, 0)
end

-- The first of these names under which there is no whole number: nothing can be added to it.
local function odd(names)
  for _, name in ipairs(names) do
    if not number_at(name) then return name end
  end
end

-- The same of an account's allowance and balance.
local function odd_field(own, fields)
  for _, name in ipairs(fields) do
    local value = redis.call('HGET', own, name)
    if value and not whole(value) then return own .. ' ' .. name end
  end
end

-- Writes the number under a name in the way in which it can be added to.
local function respell(name)
  local value = raw(name)
  if value and value ~= text(whole(value)) then redis.call('SET', name, text(whole(value)), 'KEEPTTL') end
end

-- The same of an account's balance; gives the number.
local function respell_balance(own)
  local value = redis.call('HGET', own, 'prepaid_credits') or '0'
  local balance = whole(value)
  if value ~= text(balance) then redis.call('HSET', own, 'prepaid_credits', text(balance)) end
  return balance
end

-- A key of ours under whose name other software keeps something else.
local function other(key, kind)
  local found = redis.call('TYPE', key).ok
  return found ~= kind and found ~= 'none' and key
end

-- How an operation ended: 'kept', 'released' or false.
local function settlement(settled, id)
  if redis.call('ZSCORE', settled, '+' .. id) then return 'kept' end
  if redis.call('ZSCORE', settled, '-' .. id) then return 'released' end
  return false
end

local function settle(settled, id, kept, now)
  redis.call('ZREMRANGEBYSCORE', settled, '-inf', '(' .. text(now - SETTLED_FOR))
  local score = kept and now or now - SETTLED_FOR + RELEASED_FOR
  redis.call('ZADD', settled, text(score), (kept and '+' or '-') .. id)
end

-- What a hold's record says: end of the lease, pool, month or day, cycle, and (nil of a client) the key.
local function read(record)
  local expires, pool, calendar, cycle, rest = record:match('^%d+|(%d+)|([^|]*)|([^|]*)|([^|]*)|(.*)$')
  return expires, pool, calendar, cycle, rest:match('^[^|]*|(.*)$')
end

-- The sets that count open holds: included credits of the month and of the cycle, prepaid, a day; and a key's month.
local function allowances(pool, calendar, cycle, key)
  if pool == 'day' then return { 'day:' .. calendar } end
  local sets = { pool == 'prepaid' and 'prepaid' or 'included:' .. calendar }
  if pool ~= 'prepaid' and cycle ~= '' then table.insert(sets, 'included:cycle:' .. cycle) end
  if key and key ~= '' then table.insert(sets, 'key:' .. key .. ':' .. calendar) end
  return sets
end

-- Takes a hold out of everything that it is in. `open` is nil on a Cluster.
local function forget(holds, leases, open, id)
  local record = redis.call('HGET', holds, id)
  if not record then return end
  local _, pool, calendar, cycle, key = read(record)
  for _, allowance in ipairs(allowances(pool, calendar, cycle, key)) do
    redis.call('ZREM', holds .. ':' .. allowance, id)
  end
  redis.call('HDEL', holds, id)
  redis.call('ZREM', leases, id)
  if open then redis.call('ZREM', open, holds .. ' ' .. id) end
end

-- Writes a hold into everything that it belongs in.
local function enter(holds, leases, open, id, record)
  local expires, pool, calendar, cycle, key = read(record)
  redis.call('HSET', holds, id, record)
  redis.call('ZADD', leases, expires, id)
  for _, allowance in ipairs(allowances(pool, calendar, cycle, key)) do
    redis.call('ZADD', holds .. ':' .. allowance, expires, id)
    if pool == 'day' then redis.call('EXPIRE', holds .. ':' .. allowance, CLIENT_FOR) end
  end
  if open then redis.call('ZADD', open, expires, holds .. ' ' .. id) end
  if pool == 'day' then
    redis.call('EXPIRE', holds, CLIENT_FOR)
    redis.call('EXPIRE', leases, CLIENT_FOR)
  end
end

-- The period fields of an account as one text, to see whether the caller knew the account as it is.
local PERIOD = { 'billing_period_start', 'billing_period_end', 'billing_interval', 'billing_anchor', 'billing_ends_at',
  'billing_fallen' }
local function period(own)
  local fields = redis.call('HMGET', own, unpack(PERIOD))
  for i = 1, #PERIOD do fields[i] = fields[i] or '' end
  return table.concat(fields, '|')
end

-- What the caller worked with is not so (any more): nothing is done, and this is how it is.
local function stale(own, now)
  return { 'stale', text(now), period(own) }
end

-- Makes an account that has nothing, unless there is one.
local function make(own, uid)
  for _, default in ipairs({ { 'uid', uid }, { 'membership', '' }, { 'credits', '0' }, { 'prepaid_credits', '0' },
    { 'email_verified', '0' } }) do
    redis.call('HSETNX', own, default[1], default[2])
  end
end

-- Ends what an account has other than its plan has it.
local function end_overrides(own)
  redis.call('HDEL', own, 'burst_per_minute', 'burst_size', 'priority', 'max_pixels')
end

-- Assigns a plan, which brings its own numbers.
local function assign(own, plan, credits)
  redis.call('HSET', own, 'membership', plan, 'credits', credits)
  end_overrides(own)
end

-- What other software had counted before us is adopted, so that counters stay the sum of their ledger.
local function adopt(counted, ledger, id, now, counter, before)
  if redis.call('SADD', counted, counter) == 1 and before ~= 0 then
    redis.call('XADD', ledger, '*', 'operation', id, 'at', text(now), 'kind', 'opening', 'counter', counter, 'credits',
      text(before))
  end
end
