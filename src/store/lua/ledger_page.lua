-- ledger_page: reads some entries of a ledger, and what closed months add up to.
--
-- A script, because both must be of one moment: closing takes entries from the one to the other.
--
-- KEYS  1 what closed months add up to   2 ledger of the month to read   3 that of the entry which was read last
-- ARGV  1 the id of the entry which was read last, '' for none   2 '1' to read what comes after it, else from the beginning
--       3 how many
-- Gives {1, or 0 if the entry which was read last is there no longer; fields and values of what is closed, if no entry was read
--       before; ids, each with fields and values}
local there, closed = 1, {}
if ARGV[1] == '' then
  closed = redis.call('HGETALL', KEYS[1])
else
  there = #redis.call('XRANGE', KEYS[3], ARGV[1], ARGV[1])
end
return { there, closed, redis.call('XRANGE', KEYS[2], ARGV[2] == '1' and '(' .. ARGV[1] or '-', '+', 'COUNT', ARGV[3]) }
