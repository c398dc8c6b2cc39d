import RedisClient

/// What is done with a partition on its server, each in one step: an entry and the memory of it are lost together or not at all.
///
/// KEYS: the partition, what its writer keeps (a hash: `token:<store>`, `epoch:<store>`, `appended`, `length`). ARGV: the store, token, epoch,
/// how many entries this leader knows to have been appended: a server that has had fewer was promoted without the last of them, and
/// is brought those first.
enum StreamScripts {
    /// A leader of the past may write nothing. Its store's epoch grows where the store has forgotten its tokens.
    private static let fence = """
        local function number(text)
            local value = tonumber(text or '0')
            if value and value >= 0 and value < 9007199254740992 then return value end
            return 0
        end
        local held = redis.call('HMGET', KEYS[2], 'token:' .. ARGV[1], 'epoch:' .. ARGV[1], 'appended', 'length')
        if number(held[1]) > number(ARGV[2]) and number(held[2]) >= number(ARGV[3]) then return {'fenced', held[1]} end
        if number(held[3]) < number(ARGV[4]) then return {'behind', held[3] or '0'} end
        local length = redis.call('XLEN', KEYS[1])
        local vanished = math.max(0, number(held[4]) - length)
        redis.call('HSET', KEYS[2], 'token:' .. ARGV[1], ARGV[2], 'epoch:' .. ARGV[1], ARGV[3])

        """

    /// What was read by no group, or not by the slowest: of the first entries, which are about to be taken away.
    private static let unread = """
        local function parts(id)
            local ms, seq = string.match(id, '^(%d+)-(%d+)$')
            return tonumber(ms), tonumber(seq)
        end
        local function isAfter(left, right)
            local a, b = parts(left)
            local c, d = parts(right)
            return a > c or (a == c and b > d)
        end
        local function unread(count)
            local read
            for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
                for i = 1, #group, 2 do
                    if group[i] == 'last-delivered-id' and (not read or isAfter(read, group[i + 1])) then read = group[i + 1] end
                end
            end
            if not read then return count end
            local found = 0
            for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', count)) do
                if isAfter(entry[1], read) then found = found + 1 end
            end
            return found
        end

        """

    /// KEYS 3: the cursor. ARGV from 5: the most entries of the stream or 0, for how long the cursor is kept (ms), the
    /// ordinals in a word, the words; then for each entry its ordinal, the mark of its key, how many names and values follow, and those.
    ///
    /// Each right is needed before the first entry is appended: what is refused leaves nothing behind. Answers `ok`, a letter for each
    /// entry (see `StreamCursor.Verdict`), how many entries had been appended before, how many have vanished from the stream, and how
    /// many the bound took unread.
    static let append = Script(
        fence + unread + """
            redis.call('HSET', KEYS[3], 'token', ARGV[2])
            redis.call('PEXPIRE', KEYS[3], ARGV[6])
            local size, count = tonumber(ARGV[7]), tonumber(ARGV[8])
            local last = number(redis.call('HGET', KEYS[3], 'last'))
            local newest = last
            local words = {}
            local none = string.rep('\\0', 4)
            local function word(index)
                if words[index] then return words[index] end
                local text = redis.call('HGET', KEYS[3], 'w' .. index)
                local marks = {}
                for i = 1, size do marks[i] = text and string.sub(text, i * 4 - 3, i * 4) or none end
                words[index] = marks
                return marks
            end
            local verdicts = {}
            local appended = 0
            local at = 9
            while ARGV[at] do
                local ordinal, mark, fields = tonumber(ARGV[at]), ARGV[at + 1], tonumber(ARGV[at + 2])
                local verdict = 'a'
                if ordinal > 0 then
                    local index = math.floor(ordinal / size)
                    if index + count <= last then
                        verdict = 'u'
                    else
                        local marks = word(index)
                        local place = ordinal % size + 1
                        if marks[place] == mark then
                            verdict = 'h'
                        else
                            if marks[place] ~= none then verdict = 'u' end
                            marks[place] = mark
                            newest = math.max(newest, index)
                        end
                    end
                end
                if verdict == 'a' then
                    redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 3, at + 2 + fields))
                elseif verdict == 'u' then
                    local entry = {unpack(ARGV, at + 3, at + 2 + fields)}
                    entry[#entry + 1] = 'uncertain'
                    entry[#entry + 1] = '1'
                    redis.call('XADD', KEYS[1], '*', unpack(entry))
                end
                if verdict ~= 'h' then appended = appended + 1 end
                verdicts[#verdicts + 1] = verdict
                at = at + 3 + fields
            end
            for index, marks in pairs(words) do
                if index + count > newest then redis.call('HSET', KEYS[3], 'w' .. index, table.concat(marks)) end
            end
            if newest > last then
                redis.call('HSET', KEYS[3], 'last', string.format('%.0f', newest))
                for index = math.max(0, last - count + 1), math.min(last, newest - count) do
                    redis.call('HDEL', KEYS[3], 'w' .. index)
                end
            end
            local unreadTaken = 0
            local limit = tonumber(ARGV[5])
            length = length + appended
            if limit > 0 and length > limit then
                local surplus = math.min(length - limit, 2048)
                unreadTaken = unread(surplus)
                redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', length - surplus)
                length = length - surplus
            end
            redis.call('HSET', KEYS[2], 'appended', string.format('%.0f', number(held[3]) + appended),
                'length', string.format('%.0f', length))
            return {'ok', table.concat(verdicts), string.format('%.0f', number(held[3])), vanished, unreadTaken}
            """)

    /// Takes away what each group has acknowledged; without a group nothing. Answers like ``append``, with
    /// no letters.
    static let upkeep = Script(
        fence + unread + """
            local keep
            if length > 0 then
                for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
                    local facts = {}
                    for i = 1, #group, 2 do facts[group[i]] = group[i + 1] end
                    local first = redis.call('XPENDING', KEYS[1], facts['name'])[2]
                    if not first then
                        local ms, seq = parts(facts['last-delivered-id'])
                        first = string.format('%.0f-%.0f', ms, seq + 1)
                    end
                    if not keep or isAfter(keep, first) then keep = first end
                end
                -- Whole nodes first, no more at once than pass quickly; then the rest of one.
                if keep and redis.call('XTRIM', KEYS[1], 'MINID', '~', keep, 'LIMIT', 10000) < 9000 then
                    redis.call('XTRIM', KEYS[1], 'MINID', '=', keep)
                end
            end
            redis.call('HSET', KEYS[2], 'length', redis.call('XLEN', KEYS[1]))
            return {'ok', '', string.format('%.0f', number(held[3])), vanished, 0}
            """)

    /// KEYS: the layout. ARGV: the partitions. Answers how many the stream has: those that stand there already, else these.
    static let layout = Script(
        """
        redis.call('HSETNX', KEYS[1], 'format', '1')
        redis.call('HSETNX', KEYS[1], 'partitions', ARGV[1])
        return redis.call('HMGET', KEYS[1], 'format', 'partitions')
        """)
}
