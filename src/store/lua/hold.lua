-- hold: decides the short-term limit and the quota and sets one credit aside.
--
-- A script, because deciding and setting aside must be one step: otherwise a burst spends the last credit twice.
--
-- KEYS  1 own   2 holds   3 leases   4 settled   5 bucket   6, 7 the window's counters (a client's day: one, named twice)
--       8 every open hold (absent on a Cluster)
-- ARGV  1 operation id   2 now or ''   3 lease (µs)   4 µs between two requests, '' without a short-term limit   5 µs that
--       the whole bucket holds   6 the period fields that the caller saw   7, 8 from when until when (µs) all that follows
--       is so   9 pool: 'account', or 'day' of a client   10 pictures a day of a client, else ''   11 month or day
--       12 cycle or ''   13 allowance that enforcement reads   14 channel|key, or '' of a client   15 end of the
--       window (µs)
-- Gives {'held', record} | {'settled', 'kept' or 'released'} | {'no_account'} | {'stale', now, period fields}
--       | {'too_fast', µs} | {'exhausted', µs}
local own, holds, leases, settled, bucket, open = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[8]
local id, client = ARGV[1], ARGV[9] == 'day'
local now = clock(ARGV[2])

local ended = settlement(settled, id)
if ended then return { 'settled', ended } end
local standing_record = redis.call('HGET', holds, id)
if standing_record and tonumber(standing_record:match('^%d+|(%d+)|')) > now then return { 'held', standing_record } end
if not client and redis.call('EXISTS', own) == 0 then return { 'no_account' } end
if now < tonumber(ARGV[7]) or now >= tonumber(ARGV[8]) or (not client and period(own) ~= ARGV[6]) then
  return stale(own, now)
end

-- Burst::judge
if ARGV[4] ~= '' then
  local interval, whole = tonumber(ARGV[4]), tonumber(ARGV[5])
  local furthest = now + whole
  local arrival = tonumber(redis.call('GET', bucket) or text(now))
  if arrival > furthest then arrival = furthest - interval else arrival = math.max(arrival, now) end
  local next = arrival + interval
  if next > furthest then return { 'too_fast', text(next - furthest) } end
  redis.call('SET', bucket, text(next), 'PX', text(math.ceil((next - now) / 1000) + 60000))
end

-- Leases that have ended count for nothing; a few are cleared away with each call.
for _, over in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, 16)) do
  forget(holds, leases, open, over)
end

-- Standing::next_pool
local credits, prepaid = tonumber(ARGV[10]), 0
if not client then
  local numbers = redis.call('HMGET', own, 'credits', 'prepaid_credits')
  credits, prepaid = tonumber(numbers[1] or '0') or 0, tonumber(numbers[2] or '0') or 0
end
local used = stored(KEYS[6])
if KEYS[7] ~= KEYS[6] then used = used + stored(KEYS[7]) end
local after = '(' .. text(now)
local included = holds .. ':' .. ARGV[13]
local bought = holds .. ':prepaid'
local held_included = redis.call('ZCOUNT', included, after, '+inf')
local held_prepaid = client and 0 or redis.call('ZCOUNT', bought, after, '+inf')
local pool
if used + held_included < credits then
  pool = client and 'day' or 'included'
elseif prepaid > held_prepaid then
  pool = 'prepaid'
else
  -- Standing::frees_with_a_lease
  local earliest = tonumber(ARGV[15])
  for set, frees in pairs({ [included] = held_included > 0 and used < credits, [bought] = held_prepaid > 0 and prepaid > 0 }) do
    if frees then
      local first = redis.call('ZRANGEBYSCORE', set, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
      earliest = math.min(earliest, tonumber(first[2]))
    end
  end
  return { 'exhausted', text(earliest - now) }
end

forget(holds, leases, open, id)
local expires = text(now + tonumber(ARGV[3]))
local record = table.concat({ text(now), expires, pool, ARGV[11], ARGV[12], ARGV[14] }, '|')
redis.call('HSET', holds, id, record)
redis.call('ZADD', leases, expires, id)
for _, allowance in ipairs(allowances(pool, ARGV[11], ARGV[12])) do
  redis.call('ZADD', holds .. ':' .. allowance, expires, id)
  if client then redis.call('EXPIRE', holds .. ':' .. allowance, CLIENT_FOR) end
end
if open then
  redis.call('ZREMRANGEBYSCORE', open, '-inf', text(now))
  redis.call('ZADD', open, expires, holds .. ' ' .. id)
end
if client then
  redis.call('EXPIRE', holds, CLIENT_FOR)
  redis.call('EXPIRE', leases, CLIENT_FOR)
end
return { 'held', record }
