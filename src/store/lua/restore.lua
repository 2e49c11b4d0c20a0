-- restore: writes a hold again that the server had given and lost.
--
-- A script, because a hold that has been settled meanwhile must not come back.
--
-- KEYS  1 holds   2 leases   3 settled   4 every open hold (absent on a Cluster)
-- ARGV  1 operation id   2 now or ''   3 the hold's record, as hold.lua writes it
-- Gives 1 if it was written.
local holds, id, record = KEYS[1], ARGV[1], ARGV[3]
local expires, pool, calendar, cycle = record:match('^%d+|(%d+)|([^|]*)|([^|]*)|([^|]*)|')
if tonumber(expires) <= clock(ARGV[2]) or settlement(KEYS[3], id) then return 0 end
if redis.call('HSETNX', holds, id, record) == 0 then return 0 end
redis.call('ZADD', KEYS[2], expires, id)
for _, allowance in ipairs(allowances(pool, calendar, cycle)) do
  redis.call('ZADD', holds .. ':' .. allowance, expires, id)
end
if pool == 'day' then
  redis.call('EXPIRE', holds, CLIENT_FOR)
  redis.call('EXPIRE', KEYS[2], CLIENT_FOR)
  redis.call('EXPIRE', holds .. ':day:' .. calendar, CLIENT_FOR)
end
if KEYS[4] then redis.call('ZADD', KEYS[4], expires, holds .. ' ' .. id) end
return 1
