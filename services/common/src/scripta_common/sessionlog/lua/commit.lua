#!lua flags=allow-oom
-- Records results, moves the checkpoint, trims the audio behind it and rings the gateway: all
-- or nothing, and only for the owner of this epoch.
-- Allowed beyond the memory limit: it is what frees memory.
-- KEYS: state, audio, results. ARGV: epoch, next index, cp_sample, cp_seq, status, ring,
--   channel prefix, ttl_ms, cp_speaking, cp_spoken (empty: as it was), result...
-- Returns {'ok'|'duplicate'|'fenced'|'gone'|'conflict', last index}.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'index', 'cp_sample', 'cp_seq', 'gateway',
  'seq')
if not state[1] then return {'gone', 0} end
local last = tonumber(state[2])
if state[1] ~= ARGV[1] then return {'fenced', last} end
local first, count = tonumber(ARGV[2]), #ARGV - 10
local sample, seq = tonumber(ARGV[3]), tonumber(ARGV[4])
-- Only this owner commits under this epoch: what is there already is this very call, repeated.
if count > 0 and first + count - 1 <= last then return {'duplicate', last} end
if first ~= last + 1 or sample < tonumber(state[3]) or seq < tonumber(state[4]) then
  return {'conflict', last}
end
-- A failover has forgotten entries that this covers. Their gateway writes them again, perhaps others
-- in their place: whoever claims the session next decides those.
if seq > tonumber(state[6]) then return {'conflict', last} end
if count > 0 or seq > tonumber(state[4]) then -- it has moved on
  redis.call('HSET', KEYS[1], 'attempts', 0, 'accusations', 0)
end
for i = 1, count do
  redis.call('XADD', KEYS[3], (first + i - 1) .. '-0', 'r', ARGV[10 + i])
end
last = last + count
redis.call('HSET', KEYS[1],
  'index', last, 'cp_sample', ARGV[3], 'cp_seq', ARGV[4], 'cp_speaking', ARGV[9],
  'status', ARGV[5])
if ARGV[10] ~= '' then redis.call('HSET', KEYS[1], 'cp_spoken', ARGV[10]) end
if ARGV[5] ~= 'open' then redis.call('HSET', KEYS[1], 'owner', '') end
redis.call('XTRIM', KEYS[2], 'MINID', '=', (seq + 1) .. '-0')
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[8]) end
redis.call('PUBLISH', ARGV[7] .. state[5], ARGV[6])
return {'ok', last}
