#!lua flags=allow-oom
-- Keeps a session alive for its gateway and tells how far it is. Removes the results that the gateway
-- has no use for, if it still has the session: a new connection's client may have fewer of them.
-- Allowed beyond the memory limit: it frees memory.
-- KEYS: state, audio, results. ARGV: ttl_ms, connection, last result that nobody needs any more.
-- Returns {} for an unknown session, else {status, seq, cp_sample, cp_seq, index, epoch, owner,
-- connection, cp_speaking}.
local state = redis.call('HMGET', KEYS[1],
  'status', 'seq', 'cp_sample', 'cp_seq', 'index', 'epoch', 'owner', 'connection', 'dropped',
  'cp_speaking')
if not state[1] then return {} end
local dropped = math.min(tonumber(ARGV[3]), tonumber(state[5]))
if state[8] == ARGV[2] and dropped > tonumber(state[9] or 0) then
  redis.call('XTRIM', KEYS[3], 'MINID', '=', (dropped + 1) .. '-0')
  redis.call('HSET', KEYS[1], 'dropped', dropped)
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
state[9] = state[10] or ''
state[10] = nil
return state
