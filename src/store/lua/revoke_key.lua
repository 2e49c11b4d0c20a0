-- revoke_key: revokes a key from now on; a second time changes nothing.
--
-- A script, because the first date stays, and every gateway is told with it.
--
-- KEYS  1 keys   2 revoked
-- ARGV  1 key id   2 now or ''   3 where changes are told   4 the key's hash
-- Gives when it was revoked (s), or nothing when there is no such key.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return false end
redis.call('HSETNX', KEYS[2], ARGV[1], text(math.floor(clock(ARGV[2]) / 1000000)))
redis.call('PUBLISH', ARGV[3], 'key ' .. ARGV[4])
return redis.call('HGET', KEYS[2], ARGV[1])
