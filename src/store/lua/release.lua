-- release: gives a hold of an account back, and remembers an id that is not known, so that a late hold under it does nothing.
--
-- In a script (meter), because the first of keep and release to arrive must win, and the other be told so.
--
-- Words  the id's day   id
-- Gives  kept   released
local function read_release(word)
  local day, id = word(), word()
  return { kind = 'release', id = id, stamp = stamp_of(id, day), day = day }
end

local function release(a, op)
  if not a.ended[op.id] then close(a, op, 'released') end
  return a.ended[op.id]
end
