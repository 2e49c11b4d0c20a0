-- release: gives a hold back, and remembers an id that is not known, so that a late hold under it does nothing.
--
-- A script, because the first of keep and release to arrive must win, and the other be told so.
--
-- KEYS  1 holds   2 leases   3 settled   4 every open hold (absent on a Cluster)
-- ARGV  1 operation id   2 now or ''   3 '1' for an anonymous client
-- Gives 'kept' or 'released'.
local id = ARGV[1]
local now = clock(ARGV[2])
local ended = settlement(KEYS[3], id)
if ended then return ended end
forget(KEYS[1], KEYS[2], KEYS[4], id)
settle(KEYS[3], id, false, now)
if ARGV[3] == '1' then redis.call('EXPIRE', KEYS[3], CLIENT_FOR) end
return 'released'
