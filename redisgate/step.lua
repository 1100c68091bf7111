-- One step of a process on one route: it gives back the calls that have ended, says how
-- many wait, and receives passes. The rules are those of gate.Memory; budget.go and
-- caller.go there explain them. Times are milliseconds by this server's clock.
--
-- KEYS: the budget, the passes under way, the processes that wait, the last reply.
local request = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A client repeats a script when its answer is late. What has run is not run again.
local last = redis.call('GET', KEYS[4])
if last then
	local seq, reply = last:match('^(%d+) (.*)$')
	if seq == request.seq then
		return reply
	end
end

local default_limit, default_window = 10, 60000
local patience, after_reset, jitter, rounded_up = 1000, 2, 20, 1500
local longest_guess, memory, keep, proven, most_callers = 120000, 10, 3600000, 64, 256

local raw = redis.call('GET', KEYS[1])
local b = raw and cjson.decode(raw)
-- This server's clock may be set back, or another one take over whose clock is behind.
local set_back = b and b.clock > now + patience
if not b or set_back then
	-- A new budget counts its generations from now on: passes of one that was lost may
	-- still be under way.
	b = {
		limit = 0, guessed = 0, guessed_in = 0, generation = math.max(now, b and b.generation or 0), probing = false,
		started = 0, id = 0, told = 0, reset = 0, closed = 0, length = 0, previous = 0, sent = 0, under_way = 0,
		silent = 0, tried = 0, silent_at = 0, blind = 0, heard = 0, refusals = 0, latency = 0, number = 0, stamp = 0, low = 0,
		high = -1, own = 0, counted = 0, crowded = false, crowded_before = false, version = b and b.version or 0, first = '', others = {},
		callers = {},
	}
end
b.clock = now

-- The budget.

local function open() return not b.probing and now < b.reset end

local function left()
	if #b.others == 0 then
		return math.min(b.told - b.under_way, b.limit - b.sent)
	end
	local told = b.told
	for _, o in ipairs(b.others) do
		told = math.min(told, o.told)
	end
	return told - b.under_way - b.blind
end

local function used_up() return open() and left() <= 0 end

local function window_length()
	local length = math.max(b.length, b.previous)
	return length > 0 and length or default_window
end

local function turn()
	local others = {}
	for _, o in ipairs(b.others) do
		if now < o.reset then
			others[#others + 1] = o
		end
	end
	b.others = others
	if open() then
		return
	end
	if #others > 0 and not b.probing then
		local o = table.remove(others)
		b.id, b.told, b.reset = o.id, o.told, o.reset
		b.sent, b.counted = b.limit - b.told + b.under_way, 0
		return
	end
	if b.probing and (b.under_way > 0 or b.silent > 0 and now - b.heard <= default_window) then
		return
	end
	if b.guessed > 0 and now > b.guessed then
		b.limit, b.guessed = 0, 0
	end
	b.generation = b.generation + 1
	b.probing, b.started = true, now
	b.sent, b.own, b.counted, b.under_way, b.silent, b.tried, b.blind = 0, 0, 0, 0, 0, 0, 0
	b.crowded_before, b.crowded = b.crowded, false
end

local function news() return math.max(b.heard, b.started) end

local function hurried(n)
	local rounds = 0
	while n >= 1 do
		rounds, n = rounds + 1, n / 2
	end
	return rounds > 0 and rounds * b.latency > (b.reset - now) / 4
end

local function room()
	if open() then
		local n = left()
		if hurried(n) then
			return b.under_way + n
		end
		return (b.crowded or b.crowded_before) and math.min(n, 1) or n
	end
	local waited = math.floor((now - news()) / patience)
	if b.limit > 0 then
		return math.min(2 ^ math.min(waited, 10), math.floor((b.limit + 1) / 2), default_limit)
	end
	if b.silent > default_limit then
		return default_limit
	elseif b.silent + b.under_way < default_limit then
		local overdue = waited < 1 and 1 or waited < 15 and 2 or waited < 30 and 4 or default_limit
		return math.min(math.max(1 + b.silent, overdue), default_limit - b.silent)
	end
	local slow = math.floor((now - news()) / math.max(patience, 2 * b.latency))
	return math.min(math.max(default_limit - b.silent, 1) + slow, default_limit)
end

local function admit()
	if now < b.closed then
		return false
	end
	turn()
	if b.under_way >= room() then
		return false
	end
	b.sent, b.own, b.under_way = b.sent + 1, b.own + 1, b.under_way + 1
	return true
end

local function ended(took, kind)
	b.under_way = b.under_way - 1
	if kind == 'unsent' or kind == 'refused' then
		b.sent, b.own = b.sent - 1, b.own - 1
	end
	if kind ~= 'unsent' and kind ~= 'lost' then
		b.heard = now
		b.latency = math.max(took, math.floor(b.latency * 3 / 4))
	end
end

local function presume(told)
	b.probing, b.id, b.told = false, 0, told
	b.reset = now + window_length() + b.latency + after_reset
end

local function quiet()
	if b.limit == 0 and b.silent <= default_limit and now - b.started > default_window then
		b.started, b.silent, b.tried = now, 0, 0
	end
	b.refusals = 0
	b.silent, b.blind, b.silent_at = b.silent + 1, b.blind + 1, b.number
	if b.guessed_in == b.generation and b.guessed > 0 then
		b.limit = math.max(b.limit, b.silent)
	elseif b.probing and b.limit > 0 then
		presume(b.limit)
	end
end

local function near(x, y) return math.abs(x - y) <= jitter end

local function enter(reset, seen)
	local length = seen.reset
	if b.id == 0 and open() then
		length = math.max(length, reset - b.started)
	elseif not b.probing and not near(b.id, seen.window) then
		b.sent, b.own, b.counted = b.limit - seen.remaining + b.under_way, 1 + b.under_way, 0
	end
	b.probing, b.id, b.told, b.reset = false, seen.window, seen.remaining, reset
	b.previous, b.length = b.length, length
end

local function meet_other(reset, seen)
	for _, o in ipairs(b.others) do
		if near(o.id, seen.window) then
			o.told, o.id = math.min(o.told, seen.remaining), math.max(o.id, seen.window)
			o.reset = reset + o.id - seen.window
			return
		end
	end
	table.insert(b.others, { id = seen.window, told = seen.remaining, reset = reset })
	table.sort(b.others, function(x, y) return x.id < y.id end)
end

local function meet(reset, seen)
	if open() and b.id ~= 0 and near(b.id, seen.window) then
		b.told, b.id = math.min(b.told, seen.remaining), math.max(b.id, seen.window)
		b.reset, b.length = reset + b.id - seen.window, math.max(b.length, seen.reset)
	elseif not open() or b.id == 0 then
		enter(reset, seen)
	elseif seen.window > b.id then
		table.insert(b.others, { id = b.id, told = b.told, reset = b.reset })
		enter(reset, seen)
	else
		meet_other(reset, seen)
	end
end

local function learn(number, seen)
	b.refusals = 0
	if seen.limit <= 0 then
		if number > 0 then
			quiet()
		end
		return
	end
	b.limit, b.guessed = seen.limit, 0
	if seen.remaining >= seen.limit then
		seen.remaining = math.max(b.limit - b.sent, 0)
	end
	if seen.reset <= 0 then
		if seen.window == 0 and b.probing and number > 0 then
			presume(seen.remaining)
		end
		return
	end
	meet(seen.at, seen)
	if number > 0 then
		b.counted = b.counted + 1
	end
	b.sent = math.max(b.sent, b.limit - b.told)
	b.crowded = b.crowded or b.limit - b.told > b.own
	if b.silent == 0 or number > b.silent_at then
		b.sent, b.blind = math.min(b.sent, math.max(b.limit - b.told, b.counted) + b.under_way), 0
	end
end

local function guess(till)
	local length = till - b.started - math.floor(b.latency / 2)
	if b.limit > 0 and b.guessed == 0 or b.silent == 0 or length > longest_guess then
		return
	end
	if b.limit > 0 and length < b.length - rounded_up then
		return -- the window began before the generation
	end
	b.limit, b.previous, b.length = b.silent + b.tried, 0, length
	b.guessed, b.guessed_in = now + memory * length, b.generation
end

local function refuse(current, seen)
	if seen.limit > 0 then
		b.limit, b.guessed = seen.limit, 0
	end
	if seen.reset <= 0 and seen.window > 0 then
		return -- its window is over
	elseif seen.reset <= 0 then
		seen.at = now + math.min(patience * 2 ^ math.min(b.refusals, 10), default_window) + after_reset
		b.refusals = b.refusals + 1
	end
	seen.remaining = 0
	if seen.window > 0 then
		meet(seen.at, seen)
	elseif open() and b.id ~= 0 and math.abs(seen.at - b.reset) <= rounded_up then
		b.told = 0
	elseif open() and b.id ~= 0 then
		b.closed = math.max(b.closed, seen.at)
	else
		if current then
			guess(seen.at)
		elseif not open() and (not b.probing or b.under_way == 0) then
			b.started = now
		end
		b.probing, b.id, b.reset, b.told = false, 0, seen.at, 0
	end
end

-- observe bounds how far the server's clock is ahead of this one: its time was within
-- the second of Date, and not past the reset of a window that was not over.
local function observe(seen, sent)
	local low, high = seen.date - (now - seen.age), seen.date + 1000 - sent
	if seen.window > seen.date then
		high = math.min(high, seen.window - sent)
	end
	if b.high < b.low or low > b.high or high < b.low then
		b.low, b.high = low, high
	else
		b.low, b.high = math.max(b.low, low), math.min(b.high, high)
	end
end

-- reset_at is the end of the window: by the process, or by the server's own clock, if
-- that is earlier. Neither is too early.
local function reset_at(seen, sent)
	local at = now + seen.reset
	if seen.date > 0 and seen.window > 0 and seen.reset > 0 and sent > 0 then
		observe(seen, sent)
		local offset = (b.low <= 0 and b.high >= 0) and 0 or b.low
		at = math.min(at, math.max(seen.window - offset, now))
	end
	return at + after_reset
end

-- The callers.

local function limited_lately(c)
	return c.limited > 0 and now - c.limited < math.min(memory * window_length(), keep)
end

local function caller(name)
	local c = b.callers[name]
	if not c then
		c = { limited = 0, frees = 0, since = 0, beyond = false, trials = 0, exempt = false }
		b.callers[name] = c
	end
	c.used = now
	return c
end

local everybody = false -- has to ask again

local function free(c, trial)
	if c.exempt or limited_lately(c) then
		return
	end
	c.beyond = c.beyond or trial
	if c.frees <= default_limit and not c.beyond and now - c.since > window_length() then
		c.since, c.frees = now, 0
	end
	c.frees = c.frees + 1
	c.exempt = c.frees >= proven
	everybody = everybody or c.exempt or c.beyond
end

local function may_try(c)
	if c.frees == 0 or now < b.closed then
		return false
	elseif c.beyond or c.frees > default_limit then
		return c.trials < c.frees
	end
	return c.trials == 0 and b.limit > 0 and used_up()
end

-- forget forgets callers that are no longer used. The more there are, the sooner, since
-- each step reads and writes all of them.
local function forget()
	local age, left = keep, 0
	repeat
		left = 0
		for name, c in pairs(b.callers) do
			if now - c.used < age then
				left = left + 1
			else
				b.callers[name] = nil
			end
		end
		age = age / 2
	until left <= most_callers or age < 1
end

-- The passes. The name of one says everything about it; who takes it out of the set of
-- those under way has held it.

local function name_of(generation, c)
	b.number = b.number + 1
	return table.concat({ request.process, request.seq, b.number, generation, now, c }, ':')
end

local function read(name)
	local number, generation, sent, c = name:match(':%d+:(%d+):(%d+):(%d+):(.*)$')
	return tonumber(number), tonumber(generation), tonumber(sent), c
end

local function settle(name, seen, void)
	local number, generation, sent, holder = 0, -1, 0, nil
	if name ~= '' and redis.call('ZREM', KEYS[2], name) == 1 then
		number, generation, sent, holder = read(name)
	end
	local trial, current = generation == 0, generation == b.generation
	if trial and b.callers[holder] then
		b.callers[holder].trials = math.max(b.callers[holder].trials - 1, 0)
	end
	if current then
		ended(void and 0 or now - sent, seen.kind)
	else
		number = 0
	end
	if seen.kind == 'counted' or seen.kind == 'refused' then
		local c = caller(seen.caller)
		c.limited, c.frees, c.beyond, c.exempt = now, 0, false, false
		seen.at = reset_at(seen, sent)
		if seen.kind == 'counted' then
			learn(number, seen)
		else
			refuse(current, seen)
		end
	elseif seen.kind ~= 'unsent' and seen.kind ~= 'lost' then
		if current then
			quiet()
		elseif trial then
			b.tried = b.tried + 1
		end
		if seen.kind == 'free' then
			free(caller(seen.caller), trial)
		end
	end
end

-- The processes that wait: how many passes they want, when they last got one, passes
-- that are kept for them and until when, and when they will have come back.

local processes = {}
local fields = redis.call('HGETALL', KEYS[3])
for i = 1, #fields, 2 do
	local want, stamp, claim, till, names = fields[i + 1]:match('^(%d+) (%d+) (%d+) (%d+) (.*)$')
	local p = { want = tonumber(want), stamp = tonumber(stamp), claim = tonumber(claim), till = tonumber(till), names = {} }
	for name in names:gmatch('%S+') do
		p.names[#p.names + 1] = name
	end
	processes[fields[i]] = p
end
if set_back then
	for _, p in pairs(processes) do
		p.till = 0
	end
end

local function give_back(p)
	for _, name in ipairs(p.names) do
		local _, generation = read(name)
		if generation == b.generation then
			ended(0, 'unsent')
		end
	end
	p.names = {}
end

local function info()
	local i = {
		limit = b.limit, length = window_length(), closed = math.max(b.closed - now, 0),
		room = b.limit, reset = 0, next = patience - (now - news()) % patience,
	}
	if open() then
		local told, used_until, soonest = b.told, b.reset, b.reset
		for _, o in ipairs(b.others) do
			if o.told < told then
				told, used_until = o.told, o.reset
			end
			soonest = math.min(soonest, o.reset)
		end
		i.open, i.room, i.reset, i.next = true, math.max(left(), 0), used_until - now, soonest - now
	elseif b.probing and b.under_way > 0 then
		i.probing, i.room, i.reset = true, math.max(b.limit - b.sent, 0), math.max(b.started + window_length() - now, 0)
	end
	if i.closed > 0 then
		i.next = i.closed
	end
	return i
end

if request.peek then
	if request.try then
		redis.call('SET', KEYS[4], '', 'PX', patience)
	end
	local i = info()
	local c = b.callers[request.peek]
	i.exempt = c and c.exempt and { request.peek } or nil
	i.known = raw and true or false
	return cjson.encode(i)
end

local before = { limit = b.limit, reset = b.reset, closed = b.closed, used = used_up() }

for _, l in ipairs(request.leaves or {}) do
	settle(l.name, l)
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
	settle(name, { kind = 'nothing' }, true)
end

-- Passes that this server lost do not come back.
if #redis.call('ZRANGE', KEYS[2], 0, 0) == 0 then
	local held = 0
	for _, p in pairs(processes) do
		held = held + #p.names
	end
	b.under_way = math.min(b.under_way, held)
end

local me = processes[request.process] or { stamp = b.stamp, claim = 0, names = {} }
processes[request.process] = me
me.want, me.till = request.want, now + 1
local gone = {}
for id, p in pairs(processes) do
	if id ~= request.process and (p.till < now or #p.names > 0 and p.claim < now) then
		give_back(p)
		processes[id] = nil
		gone[#gone + 1] = id
	end
end

local granted, trials = {}, {}

local function grant(name)
	redis.call('ZADD', KEYS[2], now + request.hold, name)
	granted[#granted + 1] = name
	me.want = math.max(me.want - 1, 0)
end

for _, name in ipairs(me.names) do
	grant(name)
end
me.names = {}

local function first()
	local who
	for id, p in pairs(processes) do
		if p.want > #p.names and (not who or p.stamp < processes[who].stamp or p.stamp == processes[who].stamp and id < who) then
			who = id
		end
	end
	return who
end

local wake, dirty = {}, {}
local who = first()
while who and admit() do
	local p = processes[who]
	b.stamp = b.stamp + 1
	p.stamp = b.stamp
	if who == request.process then
		grant(name_of(b.generation, ''))
	else
		if #p.names == 0 then
			wake[#wake + 1] = who
		end
		p.names[#p.names + 1] = name_of(b.generation, '')
		p.claim = now + patience
		dirty[who] = true
	end
	who = first()
end

local exempt, limited, hopeful = {}, {}, {}
for _, w in ipairs(request.callers or {}) do
	local c = b.callers[w.caller]
	if c then
		c.used = now
		while not c.exempt and w.count > 0 and may_try(c) do
			c.trials, w.count = c.trials + 1, w.count - 1
			local name = name_of(0, w.caller)
			redis.call('ZADD', KEYS[2], now + request.hold, name)
			trials[#trials + 1] = { caller = w.caller, name = name }
		end
		local list = c.exempt and exempt or limited_lately(c) and limited or c.frees > 0 and hopeful
		if list then
			list[#list + 1] = w.caller
		end
	end
end

-- Who hears of two steps can tell which was the later one, even if this server forgot
-- everything in between.
b.version = math.max(b.version + 1, now)

local reply = info()
reply.version = b.version
reply.passes, reply.trials, reply.exempt, reply.limited, reply.hopeful = granted, trials, exempt, limited, hopeful
reply.first = first()
local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if oldest[2] then
	reply.next = math.min(reply.next, math.max(oldest[2] - now, 0))
end
reply.others, reply.wanted = 0, 0
for id, p in pairs(processes) do
	if id ~= request.process then
		reply.others, reply.wanted = reply.others + 1, reply.wanted + p.want - #p.names
	end
end

-- Others hear of what concerns them. A user without rights to the channel does without.
local changed = b.limit ~= before.limit or math.abs(b.reset - before.reset) > jitter or b.closed ~= before.closed or used_up() ~= before.used or reply.first ~= b.first
b.first = reply.first
if reply.others > 0 and (#wake > 0 or everybody or changed) then
	redis.pcall('PUBLISH', request.channel, cjson.encode({
		route = request.route, version = b.version, wake = wake, everybody = everybody, first = reply.first, limit = reply.limit,
		length = reply.length, closed = reply.closed, room = reply.room, reset = reply.reset, next = reply.next,
		open = reply.open, probing = reply.probing,
	}))
end

local ttl = 240000 + math.max(0, b.reset - now, b.closed - now, request.hold)
if me.want > 0 then
	me.till = now + reply.next + 3000
	dirty[request.process] = true
else
	gone[#gone + 1] = request.process
end
for id in pairs(dirty) do
	local p = processes[id]
	redis.call('HSET', KEYS[3], id, table.concat({ p.want, p.stamp, p.claim, p.till, table.concat(p.names, ' ') }, ' '))
end
if #gone > 0 then
	redis.call('HDEL', KEYS[3], unpack(gone))
end
forget()
redis.call('SET', KEYS[1], cjson.encode(b), 'PX', ttl)
redis.call('PEXPIRE', KEYS[2], ttl)
redis.call('PEXPIRE', KEYS[3], ttl)
local encoded = cjson.encode(reply)
redis.call('SET', KEYS[4], request.seq .. ' ' .. encoded, 'PX', default_window)
return encoded
