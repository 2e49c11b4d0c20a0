-- mend: sets a number that other software has spoilt, with a ledger entry that makes it what the ledger says.
--
-- A script, because what was looked at must still stand there, or the entry would be wrong.
--
-- KEYS  1 own   2 ledger of the present month   3 months that have a ledger   4 counters known to us
-- ARGV  1 operation id   2 now or ''   3, 4 from when until when (µs) the month is so   5 the present month   6 the counter,
--       without the account's own name, or '' for a field of the account   7 the field, or ''   8 what stood there when it
--       was looked at: '=' and the text, '' for nothing, or what it is instead of a text   9 the number   10 how much the
--       ledger lacks of it; '' where nothing is counted by it   11 what the counter is called in the ledger
--       12 where changes are told   13 the account's id
-- Gives {'mended'} | {'changed'} (something else stands there by now) | {'no_account'} | {'stale', now, fields}
local own, ledger, id = KEYS[1], KEYS[2], ARGV[1]
local now = clock(ARGV[2])
if redis.call('EXISTS', own) == 0 then return { 'no_account' } end
if now < tonumber(ARGV[3]) or now >= tonumber(ARGV[4]) then return stale(own, now) end

local name, stands = own .. ':' .. ARGV[6], ''
if ARGV[6] == '' then
  local value = redis.call('HGET', own, ARGV[7])
  if value then stands = '=' .. value end
else
  local kind = redis.call('TYPE', name).ok
  if kind == 'string' then stands = '=' .. redis.call('GET', name) elseif kind ~= 'none' then stands = kind end
end
if stands ~= ARGV[8] then return { 'changed' } end

if ARGV[6] == '' then redis.call('HSET', own, ARGV[7], ARGV[9]) else redis.call('SET', name, ARGV[9]) end
if ARGV[10] == '' then
  redis.call('XADD', ledger, '*', 'operation', id, 'at', text(now), 'kind', 'mended', 'field', ARGV[7], 'value', ARGV[9])
else
  redis.call('SADD', KEYS[4], ARGV[11])
  redis.call('XADD', ledger, '*', 'operation', id, 'at', text(now), 'kind', 'opening', 'counter', ARGV[11], 'credits',
    ARGV[10])
end
redis.call('SADD', KEYS[3], ARGV[5])
redis.call('PUBLISH', ARGV[12], 'account ' .. ARGV[13])
return { 'mended' }
