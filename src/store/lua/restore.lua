-- restore: writes a hold again that the server had given and lost.
--
-- A script, because a hold that has been settled meanwhile must not come back.
--
-- KEYS  1 holds   2 leases   3 settled   4 cycles that were moved   5 every open hold (absent on a Cluster)
-- ARGV  1 operation id   2 now or ''   3 the hold's record, as hold.lua writes it
-- Gives 1 if it was written.
local id, record = ARGV[1], ARGV[3]
local expires, _, _, cycle = read(record)
if tonumber(expires) <= clock(ARGV[2]) or settlement(KEYS[3], id) or redis.call('HEXISTS', KEYS[1], id) == 1 then
  return 0
end
local target = cycle ~= '' and redis.call('HGET', KEYS[4], cycle)
if target then
  local head, rest = record:match('^(%d+|%d+|[^|]*|[^|]*|)[^|]*(|.*)$')
  record = head .. target .. rest
end
enter(KEYS[1], KEYS[2], KEYS[5], id, record)
return 1
