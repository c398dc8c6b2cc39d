import RedisClient

/// What a Redis register does, each operation one script: atomic, and safe to repeat. KEYS: lock,
/// token, progress.
///
/// Source: "Distributed Locks with Redis" (redis.io). Beyond it: the counter for fencing tokens, the
/// refusal of a server younger than the lease, the rules beside the lock. The uptime is in whole
/// seconds, so it may be one less, and of the wall clock: one that was set forward lets a young server
/// vote. Numbers go through `%.0f`: Lua would print large ones with an exponent.
enum LeaseScripts {
    /// A counter that cannot be true counts as 0, and is written over: see `PlausibleCount`.
    private static let count = """
        local function count(text)
          local number = tonumber(text or '0')
          if number and number >= 0 and number < 9007199254740992 then return number end
          return 0
        end

        """

    private static let raise =
        count + """
            local function raise(token, term)
              if count(redis.call('GET', KEYS[2])) < tonumber(token) then redis.call('SET', KEYS[2], token) end
              if count(redis.call('HGET', KEYS[3], 'term')) < tonumber(term) then
                local now = redis.call('TIME')
                redis.call('HSET', KEYS[3], 'term', term, 'since', string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000)))
              end
            end
            """

    /// ARGV: value, TTL in ms, rules, purpose, the largest token that this replica has seen on any
    /// register. Answers granted (counter, term), held (value, ms, counter, rules, purpose), refused (ms).
    ///
    /// The token seen keeps the next one larger where this register has forgotten its counter and its clock
    /// is behind.
    static let acquire = Script(
        count + """
            local holder = redis.call('GET', KEYS[1])
            local token = count(redis.call('GET', KEYS[2]))
            local term = string.format('%.0f', count(redis.call('HGET', KEYS[3], 'term')))
            if holder == ARGV[1] then
              redis.call('PEXPIRE', KEYS[1], ARGV[2])
              return {'granted', string.format('%.0f', token), term}
            end
            if holder then
              return {'held', holder, redis.call('PTTL', KEYS[1]), string.format('%.0f', token),
                redis.call('HGET', KEYS[3], 'rules') or '', redis.call('HGET', KEYS[3], 'purpose') or ''}
            end
            local uptime = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')) * 1000 - 1000
            if uptime < tonumber(ARGV[2]) then return {'refused', tonumber(ARGV[2]) - uptime} end
            local now = redis.call('TIME')
            local counter = math.max(token + 1, tonumber(ARGV[5]) + 1, now[1] * 1000 + math.floor(now[2] / 1000))
            counter = string.format('%.0f', counter)
            redis.call('SET', KEYS[2], counter)
            redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
            redis.call('HSET', KEYS[3], 'rules', ARGV[3], 'purpose', ARGV[4])
            return {'granted', counter, term}
            """)

    /// ARGV: value, token, term, TTL in ms. Answers 1 if the value still holds the register, whose time
    /// then starts anew: a replica that was promoted meanwhile may hold the vote with the time of an
    /// earlier request.
    ///
    /// A counter only grows, so it is raised whichever replica holds the register: more registers must then
    /// forget it.
    static let confirm = Script(
        raise + """

            if redis.call('GET', KEYS[1]) ~= ARGV[1] then
              raise(ARGV[2], '0')
              return 0
            end
            redis.call('PEXPIRE', KEYS[1], ARGV[4])
            raise(ARGV[2], ARGV[3])
            return 1
            """)

    /// ARGV: value, token, term, TTL in ms, rules, heal (1 or 0), purpose. Answers {1} or {0, holder}.
    static let renew = Script(
        raise + """

            local holder = redis.call('GET', KEYS[1])
            if holder == ARGV[1] then
              redis.call('PEXPIRE', KEYS[1], ARGV[4])
            elseif not holder and ARGV[6] == '1' then
              redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
              redis.call('HSET', KEYS[3], 'rules', ARGV[5], 'purpose', ARGV[7])
            else
              return {0, holder or ''}
            end
            raise(ARGV[2], ARGV[3])
            return {1}
            """)

    /// ARGV: value, channel to wake (empty for none). Answers the number of locks deleted. With the claim
    /// goes the note that its term has left beside the lock, by which a successor knows a lock that ran
    /// out; a user without that right releases all the same.
    static let release = Script(
        """
        if redis.pcall('HGET', KEYS[3], 'led') == ARGV[1] then redis.pcall('HDEL', KEYS[3], 'led') end
        if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('DEL', KEYS[1])
        if ARGV[2] ~= '' then redis.call('PUBLISH', ARGV[2], 'released') end
        return 1
        """)

    /// Answers {holder or '', ms left, term, token}.
    static let observe = Script(
        count + """
            return {redis.call('GET', KEYS[1]) or '', redis.call('PTTL', KEYS[1]),
              string.format('%.0f', count(redis.call('HGET', KEYS[3], 'term'))),
              string.format('%.0f', count(redis.call('GET', KEYS[2])))}
            """)
}
