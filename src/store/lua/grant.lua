-- grant: adds to the prepaid balance or takes from it, once per operation id, however late the repeat.
--
-- A script, because what is spent or set aside must not be taken back, and a repeat must find the first one's answer.
--
-- KEYS  1 own   2 grants   3 ledger of the present month   4 months that have a ledger   5 counters known to us
-- ARGV  1 operation id   2 now or ''   3, 4 from when until when (µs) the month is so   5 the present month   6 credits
-- Gives {'not_integer', what} for a number that cannot be added to | {'granted' or 'repeated', balance} | {'no_account'} | {'stale', now, fields} | {'too_large'}
--       | {'spent', credits that can be taken back} | {'conflict', what was granted under the id before}
local own, id = KEYS[1], ARGV[1]
local now = clock(ARGV[2])
if redis.call('EXISTS', own) == 0 then return { 'no_account' } end
local earlier = redis.call('HGET', KEYS[2], id)
if earlier then
  local balance, granted = earlier:match('^(%S+) (%S+)$')
  if granted ~= ARGV[6] then return { 'conflict', granted } end
  return { 'repeated', balance }
end
local unexpected = not_integer_field(own, { 'prepaid_credits' })
if unexpected then return { 'not_integer', unexpected } end
local before = whole(redis.call('HGET', own, 'prepaid_credits') or '0')
if ARGV[6] == '0' then return { 'granted', text(before) } end
if now < tonumber(ARGV[3]) or now >= tonumber(ARGV[4]) then return stale(own, now) end

local by = tonumber(ARGV[6])
if math.abs(before + by) >= MOST then return { 'too_large' } end
local held = by < 0 and held_prepaid(own, now) or 0
if by < 0 and before + by < held then return { 'spent', text(math.max(before - held, 0)) } end
respell_balance(own)
redis.call('HINCRBY', own, 'prepaid_credits', ARGV[6])
adopt(KEYS[5], KEYS[3], id, now, 'prepaid', before)
local balance = redis.call('HGET', own, 'prepaid_credits')
redis.call('XADD', KEYS[3], '*', 'operation', id, 'at', text(now), 'kind', 'granted', 'credits', ARGV[6])
redis.call('SADD', KEYS[4], ARGV[5])
redis.call('HSET', KEYS[2], id, balance .. ' ' .. ARGV[6])
return { 'granted', balance }
