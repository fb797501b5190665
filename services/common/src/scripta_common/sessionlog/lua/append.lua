-- Appends one entry and rings the owner, urgently if it is a boundary. The entry's number is its id, so a repeated call is
-- seen and does nothing, and a missing entry before it is refused.
-- KEYS: state, audio. ARGV: seq, kind, first_sample, pcm, accepted_ms, message_bytes, reason,
--   sid, channel prefix, ttl_ms, connection, end_sample, messages, partial, at_rest.
-- Returns {'ok'|'duplicate'|'gap'|'over'|'lost'|'superseded', last seq in the log}.
local state = redis.call('HMGET', KEYS[1], 'seq', 'owner', 'status', 'connection')
if not state[1] then return {'lost', 0} end
local last, seq = tonumber(state[1]), tonumber(ARGV[1])
local connection, caller = tonumber(state[4]), tonumber(ARGV[11])
if connection > caller then return {'superseded', last} end
-- The log has gone back to before the caller took the session over: all of it is written anew.
if connection < caller then return {'lost', last} end
if seq <= last then return {'duplicate', last} end
if seq > last + 1 then return {'gap', last} end
if state[3] ~= 'open' then return {'over', last} end
redis.call('XADD', KEYS[2], ARGV[1] .. '-0',
  'k', ARGV[2], 's', ARGV[3], 'd', ARGV[4], 't', ARGV[5], 'm', ARGV[6], 'r', ARGV[7])
redis.call('HSET', KEYS[1], 'seq', seq, 'samples', ARGV[12],
  'messages', ARGV[13], 'partial', ARGV[14], 'at_rest', ARGV[15])
redis.call('PEXPIRE', KEYS[1], ARGV[10])
redis.call('PEXPIRE', KEYS[2], ARGV[10])
if state[2] ~= '' then
  redis.call('PUBLISH', ARGV[9] .. state[2], ARGV[2] == 'audio' and ARGV[8] or ARGV[8] .. '!')
end
return {'ok', seq}
