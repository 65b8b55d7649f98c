-- Takes a slot. ARGV[6]: cap, ARGV[7]: how long a pause may be, ARGV[8]: moments kept at most.
local cap, pause, kept = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
if not whole or asked > now or now - asked > pause then return {REBUILD, 0} end
while n > 0 and tonumber(redis.call('LINDEX', KEYS[2], 0)) + span <= now do
  redis.call('LPOP', KEYS[2])
  n = n - 1
end
local opens = now
if unknown and unknown + span > now then opens = unknown + span end
if cap > kept then cap = kept end
if n >= cap then
  local free = tonumber(redis.call('LINDEX', KEYS[2], -cap)) + span
  if free > opens then opens = free end
end
if opens == now then
  if n == kept then redis.call('LPOP', KEYS[2]) else n = n + 1 end
  redis.call('RPUSH', KEYS[2], ARGV[4])
end
redis.call('HSET', KEYS[1], 'asked', ARGV[4], 'n', n, epoch_of, ARGV[3])
keep()
if opens == now then return {TAKEN, 0} end
return {WAIT, opens}
