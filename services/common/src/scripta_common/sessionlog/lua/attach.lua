-- Gives a session to a new connection whose client has the session's token: results ring at its
-- gateway from here on, and the former connection can append no more. Whoever is refused has
-- changed nothing; without the right token it can not tell whether there is such a session.
-- The last result of a session that is over is its end, which no client can have and be without.
-- Connections are numbered by the clock, so that a number that the log has forgotten is not given
-- out again.
-- KEYS: state, audio, results. ARGV: gateway, ttl_ms, now_ms, digest of the token, last result that
--   the client has.
-- Returns {reason} if it can not be taken up ('behind': results that the client has not got are
--   kept no more), {'ahead', last result that a client can have} if the
--   client says that it has more, else {former gateway, connection, status, options, seq, samples,
--   messages, partial, cp_sample, cp_seq, index, cp_speaking}.
local known = redis.call('HMGET', KEYS[1], 'gateway', 'status', 'at_rest', 'connection', 'token',
  'index', 'dropped')
local former, token = known[1], known[5]
if not former or not token or token == '' or token ~= ARGV[4] then return {'unknown'} end
if known[2] == 'failed' then return {'failed'} end
if known[2] == 'open' and known[3] == '0' then return {'mid_file'} end
local last = tonumber(known[6])
if known[2] ~= 'open' then last = last - 1 end
if tonumber(ARGV[5]) > last then return {'ahead', last} end
if tonumber(ARGV[5]) < tonumber(known[7] or 0) then return {'behind'} end
local connection = math.max(tonumber(known[4]) + 1, tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'gateway', ARGV[1], 'connection', connection)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
local state = redis.call('HMGET', KEYS[1], 'connection', 'status', 'options', 'seq', 'samples',
  'messages', 'partial', 'cp_sample', 'cp_seq', 'index', 'cp_speaking')
-- A session that an older gateway opened does not say it.
state[11] = state[11] or ''
table.insert(state, 1, former)
return state
