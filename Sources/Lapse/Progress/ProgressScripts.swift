import RedisClient

/// What is done with progress in a register. KEYS: progress, and for a read the members.
///
/// A write counts only with the largest token seen so far, and only in the present epoch: tokens of
/// different stores are not comparable, so a lease that moved to another store begins an epoch of its
/// own (see ``ProgressOrigin``).
enum ProgressScripts {
    private static let epoch = """
        local function epoch()
            return tonumber(string.match(redis.call('HGET', KEYS[1], 'store') or '', '^v1 (%d+) ') or '0')
        end
        """

    /// What cannot be true counts as 0, as everywhere: see `PlausibleCount`.
    private static let count = """
        local function count(text)
          local number = tonumber(text or '0')
          if number and number >= 0 and number < 9007199254740992 then return number end
          return 0
        end

        """

    /// Lua unpacks at most some 8000 values at once, four for each log: more go in slices. Of an even
    /// length, for a field goes with its text.
    private static let inSlices = """
        local function inSlices(command, first)
            for i = first, #ARGV, 1000 do
                redis.call(command, KEYS[1], unpack(ARGV, i, math.min(i + 999, #ARGV)))
            end
        end

        """

    /// Of a write: see ``write``. Leaves the largest token seen in `token`.
    private static let fence = """

        local now = epoch()
        if now > tonumber(ARGV[5]) then return 0 end
        if now < tonumber(ARGV[5]) then return 2 end
        local token = count(redis.call('HGET', KEYS[1], ARGV[1]))
        if token > tonumber(ARGV[2]) then return 0 end
        """

    /// ARGV: this replica's id; of a term that begins also the token's field, token, the write's field, and
    /// the record of the store for a hash that has none; the register counts it as not closed. Reading
    /// needs no right to write, and works where memory is full: what cannot be written here is told in the
    /// answer. Members not seen for 30 s are dropped.
    static let read = Script(
        count + """
            local refusal = ''
            local function try(...)
                local done = redis.pcall(...)
                if type(done) == 'table' and done.err then refusal = done.err end
            end
            if ARGV[2] then
                if count(redis.call('HGET', KEYS[1], ARGV[2])) < tonumber(ARGV[3]) then
                    local unclosed = count(redis.call('HGET', KEYS[1], 'unclosed')) + 1
                    try('HSET', KEYS[1], ARGV[2], ARGV[3], ARGV[4], '0', 'unclosed', string.format('%d', unclosed))
                end
                if not redis.call('HGET', KEYS[1], 'store') then try('HSET', KEYS[1], 'store', ARGV[5]) end
            end
            local now = redis.call('TIME')
            local seconds = tonumber(now[1])
            try('ZADD', KEYS[2], seconds, ARGV[1])
            try('ZREMRANGEBYSCORE', KEYS[2], '-inf', seconds - 30)
            local members = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
            return {redis.call('HGETALL', KEYS[1]), members, seconds, refusal}
            """)

    /// ARGV: the token's field, token, the write's field, its number, the epoch, then field and text in
    /// turn. One that was given up for lost and comes after a later one of its term has nothing new to say.
    /// Answers 1 when written, 0 when refused, 2 when the register knows nothing of the epoch yet:
    /// ``adopt`` brings it all of the progress.
    static let write = Script(
        count + inSlices + epoch + fence + """

            if token == tonumber(ARGV[2]) and count(redis.call('HGET', KEYS[1], ARGV[3])) > tonumber(ARGV[4]) then
                return 1
            end
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
            inSlices('HSET', 6)
            return 1
            """)

    /// The same for a leader's word that its follower writes. The number of the leader's last write stays
    /// what it was, so that a made-up number does not make its own writes come too late.
    static let passOn = Script(
        count + inSlices + epoch + fence + """

            if token < tonumber(ARGV[2]) then
                redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[3], '0')
            elseif count(redis.call('HGET', KEYS[1], ARGV[3])) > tonumber(ARGV[4]) then
                return 1
            end
            inSlices('HSET', 6)
            return 1
            """)

    /// ARGV: the epoch, then all fields and texts of its begin, with the record of the store and the fence.
    /// What the register held of cursors before goes: it was numbered by another store's tokens. So does
    /// the word whether logs are whole.
    static let adopt = Script(
        inSlices + epoch + """

            if epoch() >= tonumber(ARGV[1]) then return 0 end
            local all = redis.call('HGETALL', KEYS[1])
            redis.call('HDEL', KEYS[1], 'whole')
            for i = 1, #all, 2 do
                if string.find(all[i], '^log:') or string.find(all[i], '^account:') then redis.call('HDEL', KEYS[1], all[i]) end
            end
            inSlices('HSET', 2)
            return 1
            """)

    /// ARGV: the token's field, token, then fields.
    static let remove = Script(
        count + inSlices + """
            if count(redis.call('HGET', KEYS[1], ARGV[1])) > tonumber(ARGV[2]) then return 0 end
            inSlices('HDEL', 3)
            return 1
            """)

    /// ARGV: the token's field, token, then fields and their values.
    static let say = Script(
        count + inSlices + """
            if count(redis.call('HGET', KEYS[1], ARGV[1])) > tonumber(ARGV[2]) then return 0 end
            inSlices('HSET', 3)
            return 1
            """)

    /// ARGV: a field, and the nonce of the wish in it. Answers 1 when it was there.
    static let removeWish = Script(
        """
        local text = redis.call('HGET', KEYS[1], ARGV[1])
        if not text or string.match(text, '^v1 (%x+) ') ~= ARGV[2] then return 0 end
        return redis.call('HDEL', KEYS[1], ARGV[1])
        """)

    /// ARGV: a field, a nonce, how many seconds it stands, token, target, author: see ``Wish/text``.
    static let wish = Script(
        """
        local now = tonumber(redis.call('TIME')[1])
        local times = string.format('%d %d', now, now + tonumber(ARGV[3]))
        return redis.call('HSET', KEYS[1], ARGV[1],
            table.concat({'v1', ARGV[2], times, ARGV[4], ARGV[5], ARGV[6]}, ' '))
        """)

    /// KEYS: progress, members. What an onlooker reads that is no replica.
    static let look = Script(
        """
        return {redis.call('HGETALL', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES'),
            tonumber(redis.call('TIME')[1])}
        """)

    /// Drops what replicas that were killed have left behind, a minute after they said it, and answers the
    /// time in seconds.
    private static let dropOld = """
        local function dropOld(fields)
            local seconds = tonumber(redis.call('TIME')[1])
            local all = redis.call('HGETALL', KEYS[1])
            for i = 1, #all, 2 do
                if string.find(all[i], fields) then
                    local since = tonumber(string.match(all[i + 1], '^v1 (%d+)') or '0')
                    if since < seconds - 60 then redis.call('HDEL', KEYS[1], all[i]) end
                end
            end
            return seconds
        end

        """

    /// ARGV: this replica's field. One that was killed before it had left leaves its field behind: the next
    /// one that leaves drops it.
    static let sayThatItLeaves = Script(
        dropOld + """
            local seconds = dropOld('^leaving:')
            return redis.call('HSET', KEYS[1], ARGV[1], string.format('v1 %d', seconds))
            """)

    /// ARGV: this replica's field, and what it says. One that was killed leaves its field behind: the
    /// others drop it after a minute.
    static let tellOfReplica = Script(
        dropOld + """
            local seconds = dropOld('^replica:')
            return redis.call('HSET', KEYS[1], ARGV[1], string.format('v1 %d ', seconds) .. ARGV[2])
            """)

    /// KEYS: members, progress. ARGV: this replica's id, and its fields. The next reader drops one that was
    /// last seen so long ago.
    static let leave = Script(
        """
        redis.call('HDEL', KEYS[2], ARGV[2], ARGV[3])
        return redis.pcall('ZADD', KEYS[1], 0, ARGV[1])
        """)

    /// ARGV: field, base. A base never falls, but for one that cannot be true: see ``Numbering/toldLimit``.
    static let tellBase = Script(
        """
        local base = tonumber(string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^v1 (%d+)$') or '0')
        if base < tonumber(ARGV[2]) or base >= 2251799813685248 then redis.call('HSET', KEYS[1], ARGV[1], 'v1 ' .. ARGV[2]) end
        return 1
        """)
}
