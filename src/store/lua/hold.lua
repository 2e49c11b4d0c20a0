-- hold: decides the short-term limit and the quota and sets one credit aside.
--
-- A script, because deciding and setting aside must be one step: otherwise a burst spends the last credit twice.
--
-- KEYS  1 own   2 holds   3 leases   4 settled   5 bucket   6, 7 the window's counters (a client's day: one, named twice)
--       8 the key's counter (own without a key)   9 every open hold (absent on a Cluster)
-- ARGV  1 operation id   2 now or ''   3 lease (µs)   4 µs between two requests, '' without a short-term limit   5 µs that
--       the whole bucket holds   6 the period fields that the caller saw   7, 8 from when until when (µs) all that follows
--       is so   9 pool: 'account', or 'day' of a client   10 pictures a day of a client; credits of an account that has
--       fallen to the default plan, else ''   11 month or day   12 cycle or ''   13 allowance that enforcement reads
--       14 channel|key, or '' of a client   15 end of the window (µs)   16 cap of the key or ''   17 end of the month (µs)
--       18… every counter that a keep may raise, without the account's own name
-- Gives {'odd', what} for a number that cannot be added to
--       | {'held', record, arrival or '', credits left} | {'held', record} for a repeat | {'settled', 'kept' or 'released'}
--       | {'no_account'} | {'stale', now, period fields} | {'too_fast', µs}
--       | {'exhausted', µs, µs until the bucket is full or ''}
local own, holds, leases, settled, bucket, open = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[9]
local id, client = ARGV[1], ARGV[9] == 'day'
local now = clock(ARGV[2])
local after = '(' .. text(now)

local ended = settlement(settled, id)
if ended then return { 'settled', ended } end
local standing_record = redis.call('HGET', holds, id)
if standing_record and tonumber((read(standing_record))) > now then return { 'held', standing_record } end
if not client and redis.call('EXISTS', own) == 0 then return { 'no_account' } end
if now < tonumber(ARGV[7]) or now >= tonumber(ARGV[8]) or (not client and period(own) ~= ARGV[6]) then
  return stale(own, now)
end

local counters = { KEYS[6], KEYS[7] }
if ARGV[16] ~= '' then table.insert(counters, KEYS[8]) end
for i = 18, #ARGV do table.insert(counters, own .. ':' .. ARGV[i]) end
local strange = odd(counters) or (not client and odd_field(own, { 'credits', 'prepaid_credits' }))
if strange then return { 'odd', strange } end

-- Burst::judge
local arrival, full_in = '', ''
if ARGV[4] ~= '' then
  local interval, furthest = tonumber(ARGV[4]), now + tonumber(ARGV[5])
  local before = raw(bucket)
  before = before and whole(before) or now
  if before > furthest then before = furthest - interval else before = math.max(before, now) end
  local next = before + interval
  if next > furthest then return { 'too_fast', text(next - furthest) } end
  arrival, full_in = text(next), text(next - now)
  redis.call('SET', bucket, arrival, 'PX', text(math.ceil((next - now) / 1000) + 60000))
end

local function held(set)
  return redis.call('ZCOUNT', set, after, '+inf')
end

-- When the first lease of a set ends, if that is before `otherwise`.
local function earliest(set, otherwise)
  local first = redis.call('ZRANGEBYSCORE', set, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return first[2] and math.min(otherwise, tonumber(first[2])) or otherwise
end

-- The key's cap, whichever pool its pictures come from.
local free_of_key = math.huge
if ARGV[16] ~= '' then
  local set = holds .. ':key:' .. ARGV[14]:match('^[^|]*|(.*)$') .. ':' .. ARGV[11]
  local cap, used = tonumber(ARGV[16]), stored(KEYS[8])
  free_of_key = cap - used - held(set) - 1
  if free_of_key < 0 then
    local ends = tonumber(ARGV[17])
    if used < cap then ends = earliest(set, ends) end
    return { 'exhausted', text(ends - now), full_in }
  end
end

-- Standing::next_pool
local credits, prepaid = tonumber(ARGV[10]), 0
if not client then
  local numbers = redis.call('HMGET', own, 'credits', 'prepaid_credits')
  credits, prepaid = credits or math.max(whole(numbers[1] or '0'), 0), whole(numbers[2] or '0')
end
local used = stored(KEYS[6])
if KEYS[7] ~= KEYS[6] then used = used + stored(KEYS[7]) end
local included, bought = holds .. ':' .. ARGV[13], holds .. ':prepaid'
local held_included, held_prepaid = held(included), client and 0 or held(bought)
local pool
if used + held_included < credits then
  pool = client and 'day' or 'included'
elseif prepaid > held_prepaid then
  pool = 'prepaid'
else
  -- Standing::frees_with_a_lease
  local ends = tonumber(ARGV[15])
  if held_included > 0 and used < credits then ends = earliest(included, ends) end
  if held_prepaid > 0 and prepaid > 0 then ends = earliest(bought, ends) end
  return { 'exhausted', text(ends - now), full_in }
end

forget(holds, leases, open, id)
local record = table.concat({ text(now), text(now + tonumber(ARGV[3])), pool, ARGV[11], ARGV[12], ARGV[14] }, '|')
enter(holds, leases, open, id, record)

-- Leases that have ended count for nothing; a few are cleared away with each call. At the end: what gives memory back would
-- let the rest of a script run on a server that has none left.
for _, over in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, 16)) do
  forget(holds, leases, open, over)
end
if open then redis.call('ZREMRANGEBYSCORE', open, '-inf', text(now)) end

-- Standing::free
local free = math.max(credits - used - held_included, 0) + math.max(math.max(prepaid, 0) - held_prepaid, 0) - 1
return { 'held', record, arrival, text(math.min(free, free_of_key)) }
