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

-- The moment that an id begins with (OperationId::stamped): of two, the greater text is the later one. nil for an id of
-- another kind, whose day is 'undated'.
local function stamp_of(id, day)
  return day ~= 'undated' and id:sub(1, 13) or nil
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

-- Writes the number under a name in the way in which it can be added to.
local function respell(name)
  local value = raw(name)
  if value and value ~= text(whole(value)) then redis.call('SET', name, text(whole(value)), 'KEEPTTL') end
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

-- The period fields of an account.
local PERIOD = { 'billing_period_start', 'billing_period_end', 'billing_interval', 'billing_anchor', 'billing_ends_at',
  'billing_fallen' }

-- The counters that a picture of a month and a cycle may be counted in, but for the key's.
local function counters_of(month, cycle)
  local names = { 'app_usage:' .. month, 'api_usage:' .. month, 'prepaid_usage:' .. month }
  if cycle ~= '' then
    names[4], names[5], names[6] =
      'app_usage:cycle:' .. cycle, 'api_usage:cycle:' .. cycle, 'prepaid_usage:cycle:' .. cycle
  end
  return names
end

-- The stream of a month's entries.
local function ledger_name(own, month)
  return own .. ':ledger:' .. month
end
