-- Enters what the database knows. ARGV[7]: since when the past is unknown, or nothing; ARGV[8]: moments kept at most;
-- then moments, oldest first. What other processes entered stays: of those made at one moment the larger number counts.
local kept = tonumber(ARGV[8])
local since = tonumber(ARGV[7])
local all, had = {}, {}
if whole and asked <= now then
  if unknown and (not since or unknown > since) then since = unknown end
  for _, text in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
    local at = tonumber(text)
    if at + span > now then
      all[#all + 1] = at
      had[at] = (had[at] or 0) + 1
    end
  end
end
for i = 9, #ARGV do
  local at = tonumber(ARGV[i])
  if had[at] and had[at] > 0 then had[at] = had[at] - 1 else all[#all + 1] = at end
end
table.sort(all)
redis.call('DEL', KEYS[2])
n = 0
for i = math.max(1, #all - kept + 1), #all do
  redis.call('RPUSH', KEYS[2], string.format('%.0f', all[i]))
  n = n + 1
end
redis.call('HSET', KEYS[1], 'gen', gen, 'asked', now_text, 'n', n, epoch_of, ARGV[3])
if since then redis.call('HSET', KEYS[1], 'unknown', string.format('%.0f', since)) else redis.call('HDEL', KEYS[1], 'unknown') end
keep()
return {TAKEN, now}
