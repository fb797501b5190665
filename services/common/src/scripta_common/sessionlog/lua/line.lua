-- Tells whether a session can count on the line: its owner holds leases, or entries wait to be
-- taken and one of them may be its own. That of an owner who has died waits like one without.
-- KEYS: assign. ARGV: group, owner. Returns 1 or 0.
if ARGV[2] ~= '' then
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
  if not pending.err and #pending > 0 then return 1 end
end
local function field(reply, name)
  for i = 1, #reply, 2 do
    if reply[i] == name then return reply[i + 1] end
  end
end
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then return 0 end
local from = '-'
for _, group in ipairs(groups) do
  if field(group, 'name') == ARGV[1] then from = '(' .. field(group, 'last-delivered-id') end
end
-- The entries themselves are asked for: those of clients that have left are deleted.
return #redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)
