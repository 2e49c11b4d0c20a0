-- import_ledger: appends to one month of the ledger of an account that is not to be seen yet.
--
-- A script, because the order of the ledger must stay, and an account that can be seen be left alone.
--
-- KEYS  1 own   2 ledger of the month   3 months that have a ledger
-- ARGV  1 the month   2… for each entry: its id, how many words follow, fields and values by turns
-- Gives {'written'}, also for entries that are there already, or {'other', what is in the way}.
if redis.call('EXISTS', KEYS[1]) == 1 then return { 'other', 'its ledger' } end
local at = 2
while at <= #ARGV do
  local id, count = ARGV[at], tonumber(ARGV[at + 1])
  local there = redis.call('XRANGE', KEYS[2], id, id)[1]
  if there then
    if table.concat(there[2], '\0') ~= table.concat(ARGV, '\0', at + 2, at + 1 + count) then
      return { 'other', 'its ledger' }
    end
  else
    redis.call('XADD', KEYS[2], id, unpack(ARGV, at + 2, at + 1 + count))
  end
  at = at + 2 + count
end
redis.call('SADD', KEYS[3], ARGV[1])
return { 'written' }
