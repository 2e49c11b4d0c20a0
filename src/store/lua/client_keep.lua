-- client_keep: counts a picture of an anonymous client's day.
--
-- A script, because it must be counted at once and only once per operation id.
--
-- KEYS  1 the client   2 the day's counter
-- ARGV  1 operation id   2 its day
-- Gives kept, released, or not_integer|the counter.
local own, counter, id = KEYS[1], KEYS[2], ARGV[1]
local kept = settled_name(own, 'kept', ARGV[2])
if redis.call('HSETNX', kept, id, '') == 0 then return 'kept' end
local count = redis.pcall('INCR', counter)
if type(count) == 'table' then
  if not number_at(counter) then
    redis.call('HDEL', kept, id)
    return 'not_integer|' .. counter
  end
  respell(counter)
  count = redis.call('INCR', counter)
end
if redis.call('HDEL', own .. ':holds', id) == 0
  and redis.call('HEXISTS', settled_name(own, 'released', ARGV[2]), id) == 1 then
  redis.call('HDEL', kept, id)
  if count == 1 then redis.call('DEL', counter) else redis.call('DECR', counter) end
  return 'released'
end
-- Nobody asks for a day once it is over, but a keep may still be under way.
if count == 1 then redis.call('EXPIRE', counter, RELEASED_FOR) end
redis.call('EXPIRE', kept, KEPT_FOR, 'NX')
return 'kept'
