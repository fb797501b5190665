-- Rings the gateway with an interim, if the sender still owns the session.
-- KEYS: state. ARGV: epoch, ring, channel prefix. Returns 1, or 0 if fenced or gone.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'gateway')
if state[1] ~= ARGV[1] then return 0 end
redis.call('PUBLISH', ARGV[3] .. state[2], ARGV[2])
return 1
