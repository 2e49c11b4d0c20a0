-- unpark: forgets a parked event.
--
-- A script, for the same reason as park.
--
-- KEYS  1 parked events   2… the sets of parked events under each of its ids
-- ARGV  1 event
redis.call('HDEL', KEYS[1], ARGV[1])
for i = 2, #KEYS do
  redis.call('SREM', KEYS[i], ARGV[1])
end
return 1
