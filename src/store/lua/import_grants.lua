-- import_grants: remembers grants of an account that is not to be seen yet; of one that is, compares them.
--
-- A script, because a grant that is remembered otherwise must be left alone.
--
-- KEYS  1 own   2 grants
-- ARGV  for each grant: its operation id, and how it is stored
-- Gives {'written'} or {'other', what is in the way}.
local seen = redis.call('EXISTS', KEYS[1]) == 1
for i = 1, #ARGV, 2 do
  local there = redis.call('HGET', KEYS[2], ARGV[i])
  if there and there ~= ARGV[i + 1] or seen and not there then return { 'other', 'grant ' .. ARGV[i] } end
end
for i = 1, #ARGV, 2 do
  redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1])
end
return { 'written' }
