-- client_restore: writes a hold of an anonymous client again that the server had given and lost.
--
-- A script, because a hold that has been settled meanwhile must not come back.
--
-- KEYS  1 the client
-- ARGV  1 now or ''   2 operation id   3 its day   4 the hold's record
-- Gives 1 if it was written.
local own, id, holds = KEYS[1], ARGV[2], KEYS[1] .. ':holds'
if tonumber(ARGV[4]:match('%d+$')) <= clock(ARGV[1]) or settlement(own, ARGV[3], id) then return 0 end
local new = redis.call('HSETNX', holds, id, ARGV[4])
redis.call('EXPIRE', holds, KEPT_FOR)
return new
