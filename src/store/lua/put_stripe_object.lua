-- put_stripe_object: what is known of one of Stripe's objects, if nobody has written it since it was read.
--
-- A script, because what somebody else wrote meanwhile must not be lost.
--
-- KEYS  1 the object
-- ARGV  1 the version that it was read at   2 what is known
-- Gives 1 if it is written | 2 if the same is there already, by an earlier try of this call or by somebody else | 0
local key, target = KEYS[1], tonumber(ARGV[1]) + 1
local version = tonumber(redis.call('HGET', key, 'version') or '0')
if version == target and redis.call('HGET', key, 'text') == ARGV[2] then return 2 end
if version + 1 ~= target then return 0 end
redis.call('HSET', key, 'version', text(target), 'text', ARGV[2])
return 1
