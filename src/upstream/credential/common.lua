#!lua flags=allow-oom
-- The newest pair of a grant, and the lock under which one replica gets the next. KEYS[1]: the grant. A pair has a version, one more
-- than that of the pair that it was bought with, and never gives way to one with a lower version, however late that comes.
--
-- Answers 0: done, or the lock is yours; 1 and a row: there is a newer pair; 2: not now.
local key, op, version, row, owner, channel = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local LOCK, KEPT = 3000, 90 * 24 * 3600 * 1000
-- All replicas are connected, or on their way back to a Redis that was away.
local SOON, LATER = 1000, 3000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function get(field) return redis.call('HGET', key, field) or nil end
local function set(...) redis.call('HSET', key, ...) redis.call('PEXPIRE', key, KEPT) end
-- Which server this is, for as long as it runs. One that takes the place of another, or is started again, may have missed what that one
-- was told last: it does not go by what was free or in doubt there.
local server = redis.call('INFO', 'server')
local life = server:match('run_id:(%x+)') or ''

local known = tonumber(get('version') or '0')
if op == 'hold' or op == 'give' then
  local holder = get('owner')
  if holder and holder ~= owner then return {2, ''} end
  if op == 'hold' then
    -- Also where all was forgotten meanwhile. Somebody may have had it then, and this one is told that it is not sure.
    set('owner', owner, 'until', now + LOCK)
    redis.call('HDEL', key, 'doubt')
    if not holder then return {2, ''} end
  elseif holder then
    redis.call('HDEL', key, 'owner', 'until')
    set('free', life)
  end
  return {0, ''}
end

if known > version or (op == 'put' and known == version) then return {1, get('row')} end
if op == 'look' then return {0, ''} end
if version > known and row ~= '' then
  set('version', version, 'row', row)
  redis.call('PUBLISH', channel, key)
end
if op == 'put' then
  redis.call('HDEL', key, 'owner', 'until', 'doubt')
  set('free', life)
end
if op ~= 'take' then return {0, ''} end

local holder = get('owner')
if holder and holder ~= owner and tonumber(get('until') or '0') > now then return {2, ''} end
if holder ~= owner and get('free') ~= life then
  -- Nothing is known here, or not enough, or a lock ran out. Whoever has a newer pair, or is about to, is given time to say so.
  local where, since = (get('doubt') or ''):match('^(%x*) (%d+)$')
  if where ~= life then
    set('doubt', string.format('%s %.0f', life, now))
    redis.call('PUBLISH', channel, key)
    return {2, ''}
  end
  local uptime = tonumber(server:match('uptime_in_seconds:(%d+)') or '0')
  if math.abs(now - tonumber(since)) < ((holder or get('free') or uptime < 10) and LATER or SOON) then return {2, ''} end
end
set('owner', owner, 'until', now + LOCK)
redis.call('HDEL', key, 'doubt', 'free')
return {0, ''}
