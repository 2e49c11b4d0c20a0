-- What every script begins with. The scripts follow src/domain/{credit,rate_limit}.rs to the letter: a change there is one
-- here.
--
-- A script may name keys beside KEYS: those of the same account or client, which share its slot.

-- How an operation ended is remembered in a hash for each day and end: the day is that in the operation's id. A keep is
-- remembered for at least 7 days after the end of that day, because a journal may hand in a keep that is days old; a release
-- for 2 to 3 days, in which any hold or keep under its id has long arrived: else an account that is refused all the time
-- would fill the memory. Both are seconds since the hash was made, by the server's clock; a day more than is needed each, for
-- gateways whose clocks are ahead.
local KEPT_FOR, RELEASED_FOR = 9 * 86400, 3 * 86400

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

-- A month's place in the order of months.
local function order_of(month)
  local year, of_year = month:match('^(%d+):(%d+)$')
  return year and year * 12 + of_year or 0
end

-- Counts and balances stay below this: beyond it, neither a script nor a reader of JSON has whole numbers.
local MOST = 2 ^ 53

-- The whole number that a text spells, in whatever way other software may write it (12, 12.0, +12, 012, 1.2e1); nil for
-- anything else. src/store/whole.rs says the same.
local function whole(value)
  -- As nearly every number is.
  if #value <= 15 and not value:find('%D') then return tonumber(value) end
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
local function not_integer(names)
  for _, name in ipairs(names) do
    if not number_at(name) then return name end
  end
end

-- The same of an account's allowance and balance.
local function not_integer_field(own, fields)
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

-- The hash in which operations of one day are remembered that were 'kept' or 'released'.
local function settled_name(own, ended, day)
  return own .. ':' .. ended .. ':' .. day
end

-- How an operation ended: 'kept', 'released' or false.
local function settlement(own, day, id)
  if redis.call('HEXISTS', settled_name(own, 'kept', day), id) == 1 then return 'kept' end
  return redis.call('HEXISTS', settled_name(own, 'released', day), id) == 1 and 'released'
end

-- What the record of an account's open hold says: channel, pool, month, cycle, length of the lease (µs), key, and end of the
-- lease (µs).
local function parse(record)
  return record:match('^(%a+)|(%a+)|([^|]*)|([^|]*)|(%d+)|(.*)|(%d+)$')
end

-- How many prepaid credits of an account are set aside.
local function held_prepaid(own, now)
  local count = 0
  for _, record in ipairs(redis.call('HVALS', own .. ':holds')) do
    local _, pool, _, _, _, _, ends = parse(record)
    if pool == 'prepaid' and tonumber(ends) > now then count = count + 1 end
  end
  return count
end

-- The period fields of an account as one text, to see whether the caller knew the account as it is.
local PERIOD = { 'billing_period_start', 'billing_period_end', 'billing_interval', 'billing_anchor', 'billing_ends_at',
  'billing_fallen' }
local function period(own)
  local fields = redis.call('HMGET', own, unpack(PERIOD))
  for i = 1, #PERIOD do fields[i] = fields[i] or '' end
  return table.concat(fields, '|')
end

-- The gateway computed from something that is not so (any more): nothing is done, and this is how it is.
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
