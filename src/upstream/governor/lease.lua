#!lua flags=allow-oom
-- One location's limit, kept by all replicas together. KEYS[1]: what is known of it. All times are Redis's own, in milliseconds.
--
-- A window is taken to begin with its first answer that is told here, at the latest moment that this can have been: it may seem
-- to end a little late, and never early. What was let go and is not answered when it ends may be counted in either window, and
-- is counted in the next one, too.
local key = KEYS[1]
local replica, names = ARGV[1], {'want', 'spare', 'aloft', 'window', 'born', 'used', 'left', 'answered', 'returned', 'taken',
  'told_used', 'anew', 'shut', 'good', 'is_told', 'max', 'length', 'day_max', 'day_left', 'day_reset',
  'known_max', 'known_length', 'among'}
local arg = {}
for i, name in ipairs(names) do arg[name] = tonumber(ARGV[i + 1]) end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local text, raw = {}, redis.call('HGETALL', key)
for i = 1, #raw, 2 do text[raw[i]] = raw[i + 1] end
local s = {}
for _, name in ipairs({'born', 'window', 'given', 'others', 'answered', 'ends', 'shut', 'careful', 'told', 'max', 'length', 'day_max', 'day_left', 'day_ends'}) do
  s[name] = tonumber(text[name] or '0')
end

-- What answers tell. Nothing told is -1.
local function learn(name) if arg[name] >= 0 then s[name] = arg[name] end end
learn('max') learn('length') learn('day_max')
if s.born == 0 and s.max == 0 then s.max = math.max(0, arg.known_max) end
if s.born == 0 and s.length == 0 then s.length = math.max(0, arg.known_length) end
if arg.is_told == 1 then s.told = 1 end
local length = s.length > 0 and s.length or 10000
if s.day_ends > 0 and s.day_ends <= now then s.day_ends = 0 end
if arg.day_left >= 0 and arg.day_reset >= 0 then
  local ends = now + arg.day_reset
  local is_new = s.day_ends == 0 or ends > s.day_ends + 60000
  s.day_left = is_new and arg.day_left or math.min(s.day_left, arg.day_left)
  s.day_ends = ends
end

-- Calls without an answer, of each replica that was heard of not long ago.
text['o:' .. replica], text['t:' .. replica] = tostring(arg.aloft), tostring(now)
local aloft, replicas = 0, 0
for name, value in pairs(text) do
  if name:sub(1, 2) == 't:' then
    local other = name:sub(3)
    if math.abs(now - tonumber(value)) < 30000 then
      aloft, replicas = aloft + tonumber(text['o:' .. other] or '0'), replicas + 1
    else
      redis.call('HDEL', key, 't:' .. other, 'o:' .. other)
    end
  end
end

local function begin(given, ends)
  s.window = math.max(s.window + 1, now)
  s.given, s.answered, s.others, s.shut, s.ends = given, 0, 0, 0, ends
end

if s.born == 0 then
  -- Nobody was here before, or what was known is gone: then the first call finds out how much is left.
  s.born = now
  begin(0, 0)
  if s.max > 0 then s.careful = 1 end
end
if arg.born > 0 and arg.born ~= s.born and arg.left > 0 then
  -- What this replica knew of the window before it was gone.
  s.given = math.max(s.given, arg.used)
  s.ends = math.max(s.ends, now + arg.left)
end
-- A clock that was put back would shut the window for as long.
if s.shut == 0 and s.ends > now + length then s.ends = now + length end

if s.ends > 0 and s.ends <= now then begin(aloft, 0) end
s.given = s.given + arg.taken
if arg.shut >= 0 then s.careful = 1 end
if arg.window == s.window then
  if arg.good == 1 and arg.shut < 0 then s.careful = 0 end
  s.given = math.max(0, s.given - arg.returned)
  s.answered = s.answered + arg.answered
  if arg.anew >= 0 and arg.shut < 0 then
    -- Fewer used than must have been counted: the upstream's window is a new one.
    begin(aloft + arg.anew, now + length)
  else
    if arg.told_used >= 0 then s.others = math.max(s.others, arg.told_used - s.given) end
    if arg.shut >= 0 then
      s.shut = 1
      if arg.shut > 0 then s.ends = now + arg.shut end
    end
    if arg.answered > 0 and s.ends == 0 then s.ends = now + length end
  end
end

-- 0: nothing is in the way. 1: not before the window ends. 2: not before an answer. 3: not today.
local why, wait, granted = 0, 0, 0
local function window_ends()
  if s.ends == 0 and aloft > 0 then return 2, 0 end
  -- None was answered: the window may have begun with the last that got lost.
  if s.ends == 0 then s.ends = now + length end
  return 1, s.ends - now
end
if arg.want > 0 then
  local free = arg.want
  local function at_most(most, reason)
    if most < free then free = math.max(0, most) end
    if free == 0 and why == 0 then why = reason end
  end
  if s.day_ends > 0 then
    local spared = arg.spare == 1 and math.floor(s.day_max / 50) or 0
    at_most(s.day_left - spared - aloft, aloft == 0 and 3 or (s.day_left <= spared and 3 or 2))
  end
  if s.shut == 1 then at_most(0, 1) end
  if s.max > 0 then
    local room = s.max - s.given - s.others - (arg.spare == 1 and math.floor(s.max / 10) or 0)
    at_most(room, 1)
    -- Some at a time, so that each replica comes to its share; fewer as the window is used up.
    if now - s.born < 2000 and arg.among > replicas then
      -- Not all are here again, and those that are not go by what they know.
      at_most(math.floor((room + arg.aloft) / arg.among) - arg.aloft, 2)
    end
    if free > 0 and replicas > 1 then free = math.min(free, math.max(1, math.ceil(room / (2 * replicas)))) end
  end
  if s.careful == 1 then at_most(aloft == 0 and 1 or 0, 2) end
  if s.told == 0 then at_most(25 - aloft, 2) end
  granted = free
  if granted == 0 and why == 1 then why, wait = window_ends() end
  if granted == 0 and why == 3 then wait = s.day_ends - now end
  if granted > 0 then why = 0 end
end
s.given = s.given + granted
text['o:' .. replica] = tostring(arg.aloft + granted)

local write = {'o:' .. replica, text['o:' .. replica], 't:' .. replica, text['t:' .. replica]}
for name, value in pairs(s) do
  write[#write + 1] = name
  write[#write + 1] = string.format('%.0f', value)
end
redis.call('HSET', key, unpack(write))
redis.call('PEXPIRE', key, math.max(60000, 3 * length, s.day_ends - now, s.ends - now))
return {granted, why, math.max(0, math.ceil(wait)), s.window, s.born, s.given + s.others,
  s.ends > 0 and s.ends - now or -1, s.answered, s.told, s.max, s.length, replicas}
