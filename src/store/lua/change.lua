-- change: what the scripts share that change or list accounts themselves.

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

-- Writes an account's balance in the way in which it can be added to; gives the number.
local function respell_balance(own)
  local value = redis.call('HGET', own, 'prepaid_credits') or '0'
  local balance = whole(value)
  if value ~= text(balance) then redis.call('HSET', own, 'prepaid_credits', text(balance)) end
  return balance
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
