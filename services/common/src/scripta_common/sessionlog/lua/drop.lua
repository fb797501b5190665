-- Gives up a lease for good, unless it has passed to another transcriber (a plain XACK would end
-- the new owner's lease).
-- KEYS: assign. ARGV: group, transcriber, entry id. Returns 1, or 0 if it is not the caller's.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #pending == 0 then return 0 end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
return 1
