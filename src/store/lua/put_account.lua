-- put_account: makes an account, or changes what is named of one that is there; never its balance or period.
--
-- A script, because a new account must not be seen half made.
--
-- KEYS  1 own
-- ARGV  1 the account's id   2 where changes are told   3… fields and their values
-- Gives the account's fields and their values.
local own = KEYS[1]
for _, default in ipairs({ { 'uid', ARGV[1] }, { 'membership', '' }, { 'credits', '0' }, { 'prepaid_credits', '0' },
  { 'email_verified', '0' } }) do
  redis.call('HSETNX', own, default[1], default[2])
end
for i = 3, #ARGV, 2 do
  redis.call('HSET', own, ARGV[i], ARGV[i + 1])
end
redis.call('PUBLISH', ARGV[2], 'account ' .. ARGV[1])
return redis.call('HGETALL', own)
