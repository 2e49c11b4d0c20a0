-- park: keeps one of Stripe's events until somebody knows whose it is; parking it again only says why anew.
--
-- A script, because an event must be found by each of its ids or not be there.
--
-- KEYS  1 parked events   2… the sets of parked events under each of its ids
-- ARGV  1 event   2 the event as stored
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for i = 2, #KEYS do
  redis.call('SADD', KEYS[i], ARGV[1])
end
return 1
