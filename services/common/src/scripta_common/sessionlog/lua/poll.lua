-- Keeps a session alive for its gateway and tells how far it is.
-- KEYS: state, audio, results. ARGV: ttl_ms.
-- Returns {} for an unknown session, else {status, seq, cp_sample, cp_seq, index, epoch, owner,
-- connection}.
local state = redis.call('HMGET', KEYS[1],
  'status', 'seq', 'cp_sample', 'cp_seq', 'index', 'epoch', 'owner', 'connection')
if not state[1] then return {} end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
return state
