-- put_account: makes an account, or changes what is named of one that is there; never its balance or period. A fall to
-- the default plan that is due is written first.
--
-- A script, because a new account must not be seen half made, nor a change be undone by a fall.
--
-- KEYS  1 own   2 stripe
-- ARGV  1 the account's id   2 now or ''   3 the period fields that the caller saw   4, 5 from when until when (µs) what
--       follows is so   6 where changes are told   7 '1' to leave alone an account that is there   8, 9 the default plan
--       and its credits if the account must fall to it, else ''   10 '1' for a plan: the account's own numbers end, and
--       steps of Stripe's that were computed from the account before it must do nothing   11… fields and their values
-- Gives {'is', its fields and their values…}
--       | {'stale', now, period fields}
local own = KEYS[1]
local now = clock(ARGV[2])
local plan = ARGV[10] == '1'
local function is()
  local fields = redis.call('HGETALL', own)
  table.insert(fields, 1, 'is')
  return fields
end

if redis.call('EXISTS', own) == 1 then
  if ARGV[7] == '1' then return is() end
  if now < tonumber(ARGV[4]) or now >= tonumber(ARGV[5]) or period(own) ~= ARGV[3] then return stale(own, now) end
  if ARGV[9] ~= '' then
    assign(own, ARGV[8], ARGV[9])
    redis.call('HSET', own, 'billing_fallen', '1')
    plan = true
  end
end
make(own, ARGV[1])
if ARGV[10] == '1' then end_overrides(own) end
for i = 11, #ARGV, 2 do
  redis.call('HSET', own, ARGV[i], ARGV[i + 1])
end
redis.call('PUBLISH', ARGV[6], 'account ' .. ARGV[1])
if plan then redis.call('HINCRBY', KEYS[2], 'version', 1) end
return is()
