-- client_release: gives a picture of an anonymous client's day back, and remembers an id that is not known, so that a late
-- hold under it does nothing.
--
-- A script, because the first of keep and release to arrive must win, and the other be told so.
--
-- KEYS  1 the client
-- ARGV  1 operation id   2 its day
-- Gives kept or released.
local own, id = KEYS[1], ARGV[1]
local ended = settlement(own, ARGV[2], id)
if ended then return ended end
redis.call('HDEL', own .. ':holds', id)
local released = settled_name(own, 'released', ARGV[2])
redis.call('HSET', released, id, '')
redis.call('EXPIRE', released, RELEASED_FOR, 'NX')
return 'released'
