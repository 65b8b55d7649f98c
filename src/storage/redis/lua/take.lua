-- Takes a slot, and says at which moment. ARGV[7]: cap, ARGV[8]: moments kept at most.
local cap, kept = tonumber(ARGV[7]), tonumber(ARGV[8])
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
  redis.call('RPUSH', KEYS[2], now_text)
end
redis.call('HSET', KEYS[1], 'asked', now_text, 'n', n, epoch_of, ARGV[3])
keep()
if opens == now then return {TAKEN, now} end
return {WAIT, opens}
