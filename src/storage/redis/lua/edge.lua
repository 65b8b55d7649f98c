-- Takes some of a caller's budget. KEYS: when all of it is back, in microseconds of the server's time. ARGV: microseconds
-- for one, how many at once, how many are wanted. Answers how many there are, and how long there is none.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local every, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = tonumber(redis.call('GET', KEYS[1]) or '')
if not full or full < now then full = now end
local left = math.floor((now + burst * every - full) / every)
if left < 1 then return {0, full + every - now - burst * every} end
if wanted > left then wanted = left end
full = full + wanted * every
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
return {wanted, 0}
