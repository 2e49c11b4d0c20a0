-- restore_account: writes an operator's change again that the server had acknowledged and lost.
--
-- A script, because a later change must not be undone.
--
-- KEYS  1 own   2 stripe
-- ARGV  1 the account's id   2 where changes are told   3 the revision that the change made   4 the start of the period
--       whose fall to the default plan is written, or ''   5 '1' if the change made older steps of Stripe's do nothing   6… every field that an operator may change, and its value
-- Gives 1 if it was written.
local own = KEYS[1]
if tonumber(redis.call('HGET', own, 'revision') or '0') >= tonumber(ARGV[3]) then return 0 end
make(own, ARGV[1])
end_overrides(own)
for i = 6, #ARGV, 2 do
  redis.call('HSET', own, ARGV[i], ARGV[i + 1])
end
if ARGV[4] ~= '' and redis.call('HGET', own, 'billing_period_start') == ARGV[4] then
  redis.call('HSET', own, 'billing_fallen', '1')
end
redis.call('HSET', own, 'revision', ARGV[3])
if ARGV[5] == '1' then redis.call('HINCRBY', KEYS[2], 'version', 1) end
redis.call('PUBLISH', ARGV[2], 'account ' .. ARGV[1])
return 1
