-- Tells how many sessions a pool has, and how many of them each transcriber has leased.
-- KEYS: assign. ARGV: group. Returns {sessions, transcriber, leases, ...}.
local answer = {redis.call('XLEN', KEYS[1])}
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if pending.err or not pending[4] then return answer end
for _, held in ipairs(pending[4]) do
  answer[#answer + 1] = held[1]
  answer[#answer + 1] = tonumber(held[2])
end
return answer
