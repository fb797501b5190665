-- Tells what all transcribers have said of themselves, and the time by which to judge it.
-- KEYS: fleet. Returns {now_ms, field, record, ...}.
local time = redis.call('TIME')
local rows = redis.call('HGETALL', KEYS[1])
table.insert(rows, 1, time[1] * 1000 + math.floor(time[2] / 1000))
return rows
