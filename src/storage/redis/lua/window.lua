-- One tenant's window. KEYS: a hash, a list of moments in milliseconds, oldest first. ARGV: clock, session, epoch, now,
-- span, pause (how far questions may lie apart, either way), then what the script itself takes.
--
-- The hash holds `gen`, `asked` (when it was last asked for), `n` (how long the list is), `unknown` (since when the past
-- before it is not known; absent when it is) and an epoch for each session.
--
-- The generation is the history of this server's data, which changes with every start and every promotion, and the clock
-- that moments belong to. What a lagging replica or an old file brings back is of another generation, and is not believed.
local info = redis.call('INFO', 'replication')
local gen = string.match(info, 'master_replid:(%x+)') .. ':' .. ARGV[1]
local epoch_of = 'e:' .. ARGV[2]
local epoch, now, span, pause = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local TAKEN, WAIT, REBUILD, FENCED = 0, 1, 2, 3
local held = redis.call('HMGET', KEYS[1], 'gen', 'asked', 'n', 'unknown', epoch_of)
local n = redis.call('LLEN', KEYS[2])
local newest_epoch = tonumber(held[5] or '')
if newest_epoch and newest_epoch > epoch then return {FENCED, 0} end
local asked, unknown = tonumber(held[2] or ''), tonumber(held[4] or '')
-- A list that is not as long as it was left has been touched by something else, such as an eviction.
local whole = held[1] == gen and asked ~= nil and tonumber(held[3] or '') == n
-- Who asks second may have read the clock first: that is no clock that went back.
if whole and asked > now and asked - now <= pause then now = asked end
local now_text = string.format('%.0f', now)

local function keep()
  redis.call('PEXPIRE', KEYS[1], 2 * span)
  redis.call('PEXPIRE', KEYS[2], 2 * span)
end
