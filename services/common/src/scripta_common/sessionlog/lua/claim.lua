#!lua flags=allow-oom
-- Makes a transcriber the owner of a session under a new epoch; the former owner is fenced.
-- Counts the attempts since the session last moved on: many are a sign that it kills its owners.
-- Said again, because the answer was lost, it is the same claim.
-- Allowed beyond the memory limit: without an owner nothing is ever freed.
-- KEYS: state. ARGV: transcriber, id of the span of its lease (empty: it has none), a token that
--   no other claim has.
-- Returns {'gone'} , {'over'} or {'ok', epoch, cp_sample, cp_seq, index, options, attempts,
--   span of the former lease (empty: it had none, or was told already), cp_speaking, cp_spoken}.
local state = redis.call('HMGET', KEYS[1], 'status', 'cp_sample', 'cp_seq', 'index', 'options',
  'span', 'claim', 'epoch', 'attempts', 'cp_speaking', 'cp_spoken')
if not state[1] then return {'gone'} end
if state[1] ~= 'open' then return {'over'} end
local epoch, attempts, former = tonumber(state[8]), tonumber(state[9]), ''
if state[7] ~= ARGV[3] then
  former = state[6] or ''
  epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  attempts = redis.call('HINCRBY', KEYS[1], 'attempts', 1)
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'span', ARGV[2], 'claim', ARGV[3])
end
return {'ok', epoch, tonumber(state[2]), tonumber(state[3]), tonumber(state[4]), state[5],
  attempts, former, state[10] or '', tonumber(state[11] or 0)}
