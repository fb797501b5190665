-- Renews leases: a pending entry's idle time starts again, but only while it is still the
-- caller's (a plain XCLAIM would take it back from the new owner).
-- The stream lives as long as anyone holds a lease in it.
-- KEYS: assign. ARGV: group, transcriber, ttl_ms, entry id... Returns the ids that are still held.
local held = {}
for i = 4, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if #pending == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    held[#held + 1] = ARGV[i]
  end
end
if #held > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return held
