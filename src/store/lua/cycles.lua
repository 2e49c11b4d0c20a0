-- cycles: every billing cycle in an account's index with its counters, oldest first. Writes nothing.
--
-- A script, because the names of the counters are known only from the index: without it, listing takes two trips.
--
-- KEYS  1 cycles
-- ARGV  1, 2 what the names of the counters of signed-in users and of API keys begin with
-- Gives start, app, api, start, app, api, …
local starts = redis.call('ZRANGE', KEYS[1], 0, -1)
local listed = {}
for first = 1, #starts, 1000 do
  local names = {}
  for i = first, math.min(first + 999, #starts) do
    table.insert(names, ARGV[1] .. starts[i])
    table.insert(names, ARGV[2] .. starts[i])
  end
  local used = redis.call('MGET', unpack(names))
  for i = 1, #names, 2 do
    table.insert(listed, starts[first + (i - 1) / 2])
    table.insert(listed, used[i] or '0')
    table.insert(listed, used[i + 1] or '0')
  end
end
return listed
