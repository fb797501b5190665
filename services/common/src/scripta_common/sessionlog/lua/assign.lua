-- Puts a session in its pool's line, unless the pool has as many sessions as it may.
-- KEYS: assign. ARGV: sid, ttl_ms, most sessions (below 0: any number). Returns 1, or 0.
local most = tonumber(ARGV[3])
if most >= 0 and redis.call('XLEN', KEYS[1]) >= most then return 0 end
redis.call('XADD', KEYS[1], '*', 'sid', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
