-- Gives a session to a new connection: results ring at its gateway from here on, and the former
-- connection can append no more.
-- Connections are numbered by the clock, so that a number that the log has forgotten is not given
-- out again.
-- KEYS: state, audio, results. ARGV: gateway, ttl_ms, now_ms.
-- Returns {reason} if it can not be taken up, else {former gateway, connection, status, options,
--   seq, samples, messages, partial, cp_sample, cp_seq, index}.
local known = redis.call('HMGET', KEYS[1], 'gateway', 'status', 'at_rest', 'connection')
local former = known[1]
if not former then return {'unknown'} end
if known[2] == 'failed' then return {'failed'} end
if known[2] == 'open' and known[3] == '0' then return {'mid_file'} end
local connection = math.max(tonumber(known[4]) + 1, tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'gateway', ARGV[1], 'connection', connection)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
local state = redis.call('HMGET', KEYS[1], 'connection', 'status', 'options', 'seq', 'samples',
  'messages', 'partial', 'cp_sample', 'cp_seq', 'index')
table.insert(state, 1, former)
return state
