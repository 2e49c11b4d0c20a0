-- apply_stripe: everything that follows from one of Stripe's events: plan, period, usage that was counted under a cycle
-- that turned out to be another's, credits.
--
-- A script, because an event must be claimed together with its effect, and a step computed from an older state must do
-- nothing.
--
-- KEYS  1 own   2 stripe   3 stripe_events   4 ledger of the present month   5 months that have a ledger   6 counters known
--       to us   7 cycles   8 cycles that were moved
-- ARGV  1 event   2 now or ''   3, 4 from when until when (µs) the month is so   5 the present month   6 the account's id
--       7 the version that the step was computed from
--       8 what is remembered   9 where changes are told
--       10, 11 plan and its credits; '' for both without a change   12 '' or the period as a JSON text, for the ledger
--       13–18 the period's fields in the order of PERIOD, '' for none   19 credits to add
--       20 '1' to take back only credits that are neither spent nor set aside
--       21… for each move: from, to, and the names of app, api and prepaid counters of both, without the account's own name
-- Gives {'not_integer', what} for a number that cannot be added to | {'applied'} | {'duplicate'} | {'behind'} (another step came in between) | {'stale', now, fields} | {'too_large'}
local CLAIMED_FOR = 30 * 86400 * 1000000
local own, stripe, events, ledger, counted, cycles, moved =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[6], KEYS[7], KEYS[8]
local event, now = ARGV[1], clock(ARGV[2])

if redis.call('ZSCORE', events, event) then return { 'duplicate' } end
if (redis.call('HGET', stripe, 'version') or '0') ~= ARGV[7] then return { 'behind' } end
if now < tonumber(ARGV[3]) or now >= tonumber(ARGV[4]) then return stale(own, now) end

-- Everything that can fail comes first.
for i = 21, #ARGV, 8 do
  local unexpected = not_integer({ own .. ':' .. ARGV[i + 2], own .. ':' .. ARGV[i + 3], own .. ':' .. ARGV[i + 4],
    own .. ':' .. ARGV[i + 5], own .. ':' .. ARGV[i + 6], own .. ':' .. ARGV[i + 7] })
  if unexpected then return { 'not_integer', unexpected } end
end
local before = 0
if ARGV[19] ~= '0' then
  local unexpected = not_integer_field(own, { 'prepaid_credits' })
  if unexpected then return { 'not_integer', unexpected } end
  before = whole(redis.call('HGET', own, 'prepaid_credits') or '0')
  local after = before + tonumber(ARGV[19])
  if math.abs(after) >= MOST then return { 'too_large' } end
  if ARGV[20] == '1' and after < before and after < held_prepaid(own, now) then return { 'behind' } end
  respell_balance(own)
  redis.call('HINCRBY', own, 'prepaid_credits', ARGV[19])
end
make(own, ARGV[6])
redis.call('ZREMRANGEBYSCORE', events, '-inf', '(' .. text(now - CLAIMED_FOR))
redis.call('ZADD', events, text(now), event)
redis.call('HINCRBY', stripe, 'version', 1)
redis.call('HSET', stripe, 'remembered', ARGV[8])
redis.call('SADD', KEYS[5], ARGV[5])

local function note(...)
  redis.call('XADD', ledger, '*', 'operation', event, 'at', text(now), 'kind', ...)
end

if ARGV[11] ~= '' then
  assign(own, ARGV[10], ARGV[11])
  note('plan_changed', 'plan', ARGV[10], 'credits', ARGV[11])
end
if ARGV[12] ~= '' then
  for i, name in ipairs(PERIOD) do
    local value = ARGV[12 + i]
    if value == '' then redis.call('HDEL', own, name) else redis.call('HSET', own, name, value) end
  end
  redis.call('HDEL', moved, ARGV[13])
  note('period_synced', 'detail', ARGV[12])
end

-- Adds one counter to another; says how much that was.
local function shift(from, to)
  local count = stored(own .. ':' .. from)
  if count > 0 then
    adopt(counted, ledger, event, now, from, count)
    adopt(counted, ledger, event, now, to, stored(own .. ':' .. to))
    respell(own .. ':' .. to)
    redis.call('INCRBY', own .. ':' .. to, text(count))
  end
  redis.call('DEL', own .. ':' .. from)
  return count
end

-- Open holds go with their cycle. Whoever counts them next looks at each, because the window is another.
local function move_holds(from, to)
  local holds = own .. ':holds'
  local records = redis.call('HGETALL', holds)
  for i = 1, #records, 2 do
    local channel, pool, month, cycle, lease, key, ends = parse(records[i + 1])
    if cycle == from then
      redis.call('HSET', holds, records[i], table.concat({ channel, pool, month, to, lease, key, ends }, '|'))
    end
  end
  redis.call('HDEL', own, 'counted')
end

for i = 21, #ARGV, 8 do
  local from, to = ARGV[i], ARGV[i + 1]
  local app, api, prepaid =
    shift(ARGV[i + 2], ARGV[i + 3]), shift(ARGV[i + 4], ARGV[i + 5]), shift(ARGV[i + 6], ARGV[i + 7])
  redis.call('ZREM', cycles, from)
  if app + api > 0 then redis.call('ZADD', cycles, to, to) end
  move_holds(from, to)
  local earlier = redis.call('HGETALL', moved)
  for j = 1, #earlier, 2 do
    if earlier[j + 1] == from then redis.call('HSET', moved, earlier[j], to) end
  end
  redis.call('HDEL', moved, to)
  redis.call('HSET', moved, from, to)
  if app + api + prepaid > 0 then
    note('moved', 'from', from, 'to', to, 'app', text(app), 'api', text(api), 'prepaid', text(prepaid))
  end
end

if ARGV[19] ~= '0' then
  adopt(counted, ledger, event, now, 'prepaid', before)
  note('granted', 'credits', ARGV[19])
end
redis.call('PUBLISH', ARGV[9], 'account ' .. ARGV[6])
return { 'applied' }
