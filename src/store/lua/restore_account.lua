-- restore_account: writes an operator's change again that the server had acknowledged and lost.
--
-- A script, because a later change must not be undone. What gateways write again comes in any order; each part of an
-- account knows the number of the change that it has.
--
-- KEYS  1 own   2 stripe
-- ARGV  1 the account's id   2 where changes are told   3, 4 the changes that the numbers and the e-mail address had come to
--       5 the start of the period whose fall to the default plan is written, or ''   6 the version that a step of Stripe's
--       had to name   7 whether the e-mail address is verified   8… plan, credits and the account's own numbers, and their
--       values
local own = KEYS[1]
local function known(part)
  return tonumber(redis.call('HGET', own, 'revision' .. part) or '0')
end

make(own, ARGV[1])
if known(':numbers') < tonumber(ARGV[3]) then
  end_overrides(own)
  for i = 8, #ARGV, 2 do
    redis.call('HSET', own, ARGV[i], ARGV[i + 1])
  end
  if ARGV[5] ~= '' and redis.call('HGET', own, 'billing_period_start') == ARGV[5] then
    redis.call('HSET', own, 'billing_fallen', '1')
  end
  redis.call('HSET', own, 'revision:numbers', ARGV[3])
end
if known(':email') < tonumber(ARGV[4]) then
  redis.call('HSET', own, 'email_verified', ARGV[7], 'revision:email', ARGV[4])
end
redis.call('HSET', own, 'revision', text(math.max(known(''), tonumber(ARGV[3]), tonumber(ARGV[4]))))
local version = tonumber(redis.call('HGET', KEYS[2], 'version') or '0')
redis.call('HSET', KEYS[2], 'version', text(math.max(version, tonumber(ARGV[6]))))
redis.call('PUBLISH', ARGV[2], 'account ' .. ARGV[1])
return 1
