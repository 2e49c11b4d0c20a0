-- client_hold: decides the short-term limit and the day's pictures of an anonymous client and sets one picture aside.
--
-- A script, because deciding and setting aside must be one step: otherwise a burst spends the last picture twice.
--
-- KEYS  1 the client   2 the day's counter
-- ARGV  1 now or ''   2 operation id   3 its day   4 lease (µs)   5 µs between two requests, '' without a short-term limit
--       6 µs that the whole bucket holds   7, 8 from when until when (µs) the day is the present one   9 the day   10 pictures a day
-- Gives an answer in words with | between them: held|arrival or ''|pictures left|record   again|record
--       settled|kept or released   stale|now|   too_fast|µs   exhausted|µs|µs until the bucket is full or ''
--       not_integer|the counter
-- Open holds, id -> day|lease|end of the lease, lie in <client>:holds, with the short-term limit's number under @.
local own, counter, id, day = KEYS[1], KEYS[2], ARGV[2], ARGV[9]
local holds, now = own .. ':holds', clock(ARGV[1])
local ended = settlement(own, ARGV[3], id)
if ended then return 'settled|' .. ended end

local all, held, first, arrival, expired, open = redis.call('HGETALL', holds), 0, tonumber(ARGV[8]), nil, {}, nil
for i = 1, #all, 2 do
  local of, _, ends = all[i + 1]:match('^([^|]*)|(%d+)|(%d+)$')
  if all[i] == '@' then
    arrival = whole(all[i + 1])
  elseif not ends or tonumber(ends) <= now then
    expired[#expired + 1] = all[i]
  else
    if all[i] == id then open = all[i + 1] end
    if of == day then
      held = held + 1
      first = math.min(first, tonumber(ends))
    end
  end
end
if open then return 'again|' .. open end
if now < tonumber(ARGV[7]) or now >= tonumber(ARGV[8]) then return 'stale|' .. text(now) .. '|' end
local used = number_at(counter)
if not used then return 'not_integer|' .. counter end

-- Burst::judge
local told, full_in = '', ''
if ARGV[5] ~= '' then
  local interval, furthest = tonumber(ARGV[5]), now + tonumber(ARGV[6])
  if arrival and arrival > furthest then arrival = furthest - interval end
  local next = math.max(arrival or now, now) + interval
  if next > furthest then return 'too_fast|' .. text(next - furthest) end
  told, full_in = text(next), text(next - now)
end

local per_day, answer, write = tonumber(ARGV[10]), nil, {}
if told ~= '' then write = { '@', told } end
if used + held < per_day then
  local record = day .. '|' .. ARGV[4] .. '|' .. text(now + tonumber(ARGV[4]))
  write[#write + 1], write[#write + 2] = id, record
  answer = table.concat({ 'held', told, text(per_day - math.max(used, 0) - held - 1), record }, '|')
else
  local ends = used < per_day and held > 0 and first or tonumber(ARGV[8])
  answer = 'exhausted|' .. text(ends - now) .. '|' .. full_in
end
if #write > 0 then
  redis.call('HSET', holds, unpack(write))
  redis.call('EXPIRE', holds, KEPT_FOR)
end
for _, over in ipairs(expired) do if over ~= id then redis.call('HDEL', holds, over) end end
return answer
