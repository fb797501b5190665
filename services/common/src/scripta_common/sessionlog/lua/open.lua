-- Creates a session. A repeated call by the same gateway before any audio is the same call.
-- KEYS: state. ARGV: gateway, options, now_ms, ttl_ms, digest of the token by which it can be taken
--   up again (empty: it can not). Returns 1, or 0 if the id is taken.
local known = redis.call('HMGET', KEYS[1], 'gateway', 'seq')
if known[1] then
  if known[1] == ARGV[1] and known[2] == '0' then return 1 end
  return 0
end
redis.call('HSET', KEYS[1],
  'status', 'open', 'gateway', ARGV[1], 'options', ARGV[2], 'created_ms', ARGV[3],
  'token', ARGV[5],
  'connection', 1, 'epoch', 0, 'owner', '', 'cp_sample', 0, 'cp_seq', 0, 'cp_speaking', '', 'index', 0,
  'seq', 0, 'samples', 0, 'messages', 0, 'partial', 0, 'at_rest', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
