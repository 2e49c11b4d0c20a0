-- account: what the scripts for an account's holds share.
--
-- own                  the account's hash; among its fields, beside those of the contract:
--   arrival            the short-term limit's one number (µs), as in src/domain/rate_limit.rs
--   newest             the newest moment of the ids that any operation was seen under, as ids begin with it: a newer id is new
--   oldest             no lease of an open hold ends before this (µs)
--   mixed              until then (µs) some open holds may be of prepaid credits or of another window
--   counted            'month|cycle|day' that everything is prepared for; 'counted:<key>', the month in which a key is
-- own:holds            open holds: id -> channel|pool|month|cycle|lease|key|end of the lease, both in µs; the key, here as in
--                      entries of the ledger, as names of counters have it
-- own:kept:<day>       ids of that day that were kept, own:released:<day> that were released; undated ones have day 'undated'
-- own:counted          the counters that the ledger explains
-- own:ledger:<month>   the ledger of a month, own:ledgers the months that have one, own:cycles the cycles that have counters
-- own:closed           what closed months add up to, by counter; 'entries', how many; 'through', the last of these months; 'step',
--                      how many steps of closing there were

-- Errors that are an account's own: another type, no integer, one that is too large. All others are the server's.
local function is_of_data(error)
  return error:find('WRONGTYPE', 1, true) or error:find('not an integer', 1, true) or error:find('overflow', 1, true)
    or error:find('not a valid float', 1, true)
end

-- Calls. An account's own error is given as nil; another one ends the script.
local function try(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    if not is_of_data(answer.err) then error(answer) end
    return nil
  end
  return answer
end

-- Steps that are made together or not at all.
local function transaction()
  local undo = {}
  local self = {}
  function self.undo()
    for i = #undo, 1, -1 do redis.call(unpack(undo[i])) end
    undo = {}
  end
  -- What a step has answered. Where it has failed, the earlier ones are undone.
  function self.made(answer)
    if type(answer) == 'table' and answer.err then
      self.undo()
      if not is_of_data(answer.err) then error(answer) end
      return nil
    end
    return answer
  end
  -- Makes a step.
  function self.step(...)
    return self.made(redis.pcall(...))
  end
  -- Says how the last step is undone.
  function self.back(...)
    undo[#undo + 1] = { ... }
  end
  return self
end

-- Adds to a counter, however the number is spelled that stands there.
local function raise(change, name, by)
  local value = redis.pcall('INCRBY', name, by)
  if type(value) == 'table' then
    local stands = raw(name)
    if stands and whole(stands) then
      respell(name)
      change.back('SET', name, stands, 'KEEPTTL')
    end
    value = change.step('INCRBY', name, by)
    if not value then return false end
  end
  if value == by then change.back('DEL', name) else change.back('DECRBY', name, by) end
  -- Beyond this, a script has no whole numbers.
  return value < MOST or redis.call('GET', name) == text(MOST)
end

-- Adopts a counter that other software had raised before us, so that counters stay the sum of their ledger.
local function adopt_once(change, own, month, id, now, counter, value)
  local counted, ledger = own .. ':counted', ledger_name(own, month)
  local new = change.step('SADD', counted, counter)
  if not new then return counted end
  if new == 0 then return end
  change.back('SREM', counted, counter)
  if value == 0 then return end
  local entry = change.step('XADD', ledger, '*', 'operation', id, 'at', text(now), 'kind', 'opening', 'counter', counter,
    'credits', text(value))
  if not entry then return ledger end
  change.back('XDEL', ledger, entry)
end

-- Prepares everything that a keep of a month and a cycle relies on. Gives the faulty key, if it fails.
local function prepare(change, own, month, cycle, id, now, value_of)
  local ledgers, cycles = own .. ':ledgers', own .. ':cycles'
  local new = change.step('SADD', ledgers, month)
  if not new then return ledgers end
  if new == 1 then change.back('SREM', ledgers, month) end
  if cycle ~= '' then
    new = change.step('ZADD', cycles, cycle, cycle)
    if not new then return cycles end
    if new == 1 then change.back('ZREM', cycles, cycle) end
  end
  for _, counter in ipairs(counters_of(month, cycle)) do
    local faulty = adopt_once(change, own, month, id, now, counter, value_of(counter))
    if faulty then return faulty end
  end
  return adopt_once(change, own, month, id, now, 'prepaid', value_of('prepaid'))
end

-- Makes the hash in which keeps of a day are remembered. Gives the faulty key, if it fails.
local function prepare_day(change, own, day)
  local kept = settled_name(own, 'kept', day)
  local new = change.step('HSETNX', kept, '', '')
  if not new then return kept end
  if new == 1 then change.back('HDEL', kept, '') end
  redis.call('EXPIRE', kept, KEPT_FOR)
end

-- What stands under the name of a counter of an account, or its balance.
local function standing_value(own)
  return function(counter)
    if counter == 'prepaid' then return whole(redis.call('HGET', own, 'prepaid_credits') or '0') or 0 end
    return number_at(own .. ':' .. counter) or 0
  end
end
