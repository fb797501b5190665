#!lua flags=allow-oom
-- Takes a session out of its pool's line if no transcriber has leased it.
-- Allowed beyond the memory limit: it frees memory.
-- KEYS: assign. ARGV: group, sid, entries to look at. Returns how many entries were removed.
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then return 0 end
local from = '-'
for _, group in ipairs(groups) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  if fields['name'] == ARGV[1] then from = '(' .. fields['last-delivered-id'] end
end
local removed = 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', ARGV[3])) do
  if entry[2][2] == ARGV[2] then removed = removed + redis.call('XDEL', KEYS[1], entry[1]) end
end
return removed
