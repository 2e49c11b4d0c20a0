-- keep: counts a hold: counters, balance, ledger entry and cycle index.
--
-- A script, because all of it must happen at once and only once per operation id.
--
-- KEYS  1 own   2 holds   3 leases   4 settled   5 ledger of the present month   6 months that have a ledger   7 counters
--       known to us   8 cycles   9, 10 the present window's counters (a client's day: the one to raise, twice)
--       11 cycles that were moved   12 every open hold (absent on a Cluster)
-- ARGV  1 operation id   2 now or ''   3 the period fields that the caller saw   4, 5 from when until when (µs) the present
--       window and month are so   6 pool: 'included', 'prepaid' or 'day'   7 month or day   8 cycle or ''   9 channel
--       10 key id or ''   11 end of the lease (µs)   12 the present month   13 when a client's counter is forgotten
--       (seconds)   14 credits of an account that has fallen to the default plan, else ''   15 what the name of the
--       cycle's counter begins with   16… the other counters to raise; all without the account's own name and a colon
-- Gives {'odd', what} for a number that cannot be added to
--       | {'kept' or 'released', credits, used, prepaid; '' for what is unknown} | {'no_account'} | {'stale', now, fields}
local own, settled = KEYS[1], KEYS[4]
local id, pool, client = ARGV[1], ARGV[6], ARGV[6] == 'day'
local now = clock(ARGV[2])

local function standing(ended)
  if client or redis.call('EXISTS', own) == 0 then return { ended, '', '', '' } end
  local numbers = redis.call('HMGET', own, 'credits', 'prepaid_credits')
  local credits = ARGV[14] ~= '' and ARGV[14] or text(whole(numbers[1] or '0') or 0)
  return { ended, credits, text(stored(KEYS[9]) + stored(KEYS[10])), text(whole(numbers[2] or '0') or 0) }
end

if not client then
  if redis.call('EXISTS', own) == 0 then
    local ended = settlement(settled, id)
    return ended and standing(ended) or { 'no_account' }
  end
  if now < tonumber(ARGV[4]) or now >= tonumber(ARGV[5]) or period(own) ~= ARGV[3] then return stale(own, now) end
end
local ended = settlement(settled, id)
if ended then return standing(ended) end

-- Everything that can fail is looked at before anything is written.
local cycle, raised, strange = ARGV[8], { KEYS[9] }, nil
if not client then
  cycle, raised = cycle ~= '' and redis.call('HGET', KEYS[11], cycle) or cycle, {}
  for i = 16, #ARGV do table.insert(raised, own .. ':' .. ARGV[i]) end
  if cycle ~= '' then table.insert(raised, own .. ':' .. ARGV[15] .. cycle) end
  strange = (pool == 'prepaid' and odd_field(own, { 'prepaid_credits' }))
    or other(KEYS[5], 'stream') or other(KEYS[6], 'set') or other(KEYS[7], 'set') or other(KEYS[8], 'zset')
end
strange = strange or odd(raised)
if strange then return { 'odd', strange } end

for _, name in ipairs(raised) do respell(name) end
if client then
  redis.call('INCR', KEYS[9])
  redis.call('EXPIRE', KEYS[9], text(math.max(math.ceil(tonumber(ARGV[13]) - now / 1000000), 60)))
else
  local function raise(counter)
    adopt(KEYS[7], KEYS[5], id, now, counter, redis.call('INCR', own .. ':' .. counter) - 1)
  end
  for i = 16, #ARGV do raise(ARGV[i]) end
  if cycle ~= '' then
    raise(ARGV[15] .. cycle)
    if pool == 'included' then redis.call('ZADD', KEYS[8], cycle, cycle) end
  end
  if pool == 'prepaid' then
    respell_balance(own)
    adopt(KEYS[7], KEYS[5], id, now, 'prepaid', redis.call('HINCRBY', own, 'prepaid_credits', -1) + 1)
  end
  redis.call('XADD', KEYS[5], '*', 'operation', id, 'at', text(now), 'kind', 'served', 'channel', ARGV[9], 'pool', pool,
    'month', ARGV[7], 'cycle', cycle, 'key', ARGV[10], 'late', tonumber(ARGV[11]) <= now and '1' or '0')
  redis.call('SADD', KEYS[6], ARGV[12])
end
forget(KEYS[2], KEYS[3], KEYS[12], id)
settle(settled, id, true, now)
if client then redis.call('EXPIRE', settled, CLIENT_FOR) end
return standing('kept')
