-- Appends entries that follow each other, all or none, and rings the owner once, urgently if a boundary is among them. An
-- entry's number is its id: those that the log has already (the call is repeated, or an earlier one got through without an
-- answer) are passed over, and a missing entry before the first is refused.
-- KEYS: state, audio. ARGV: number of the first entry, sid, channel prefix, ttl_ms, connection; of the last entry: end_sample,
--   messages, partial, at_rest; then of each entry: kind, first_sample, pcm, accepted_ms, message_bytes, reason.
-- Returns {'ok'|'duplicate'|'gap'|'over'|'lost'|'superseded', last seq in the log}.
local state = redis.call('HMGET', KEYS[1], 'seq', 'owner', 'status', 'connection')
if not state[1] then return {'lost', 0} end
local last, first = tonumber(state[1]), tonumber(ARGV[1])
local connection, caller = tonumber(state[4]), tonumber(ARGV[5])
if connection > caller then return {'superseded', last} end
-- The log has gone back to before the caller took the session over: all of it is written anew.
if connection < caller then return {'lost', last} end
local final = first + (#ARGV - 9) / 6 - 1
if final <= last then return {'duplicate', last} end
if first > last + 1 then return {'gap', last} end
if state[3] ~= 'open' then return {'over', last} end
local ring = ARGV[2]
for seq = last + 1, final do
  local at = 9 + 6 * (seq - first)
  redis.call('XADD', KEYS[2], seq .. '-0', 'k', ARGV[at + 1], 's', ARGV[at + 2], 'd', ARGV[at + 3],
    't', ARGV[at + 4], 'm', ARGV[at + 5], 'r', ARGV[at + 6])
  if ARGV[at + 1] ~= 'audio' then ring = ARGV[2] .. '!' end
end
redis.call('HSET', KEYS[1], 'seq', final, 'samples', ARGV[6],
  'messages', ARGV[7], 'partial', ARGV[8], 'at_rest', ARGV[9])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if state[2] ~= '' then redis.call('PUBLISH', ARGV[3] .. state[2], ring) end
return {'ok', final}
