import RedisClient

/// What is done with a partition on its server, each in one step: an entry and the memory of it are
/// lost together or not at all.
///
/// - KEYS: the partition, its writer's hash (`token:<store>`, `epoch:<store>`, `appended`, `length`).
/// - ARGV: the store, token, epoch, how many entries this leader knows of: a server that has had fewer
///   was promoted without the last of them, and is brought those first.
enum StreamScripts {
    /// A leader of the past may write nothing. Its store's epoch grows where the store has forgotten its
    /// tokens.
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

    private static let order = """
        local function parts(id)
            local ms, seq = string.match(id, '^(%d+)-(%d+)$')
            return tonumber(ms), tonumber(seq)
        end
        local function isAfter(left, right)
            local a, b = parts(left)
            local c, d = parts(right)
            return a > c or (a == c and b > d)
        end

        """

    /// What was read by no group, or not by the slowest: of the first entries, which are about to be taken
    /// away.
    private static let unread =
        order + """
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

    /// From where on a group has something to read or to acknowledge; nothing without a group.
    private static let owed =
        order + """
            local function owed()
                local keep
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
                return keep
            end

            """

    /// Each right is needed before the first entry is appended: what is refused leaves nothing behind.
    ///
    /// - KEYS 3: the cursor.
    /// - ARGV from 5: the most entries of the stream or 0; for how long the cursor is kept (ms); the
    ///   ordinals in a word; the words; for each group of entries their count and a template; the marks of
    ///   the keys, in one; for each entry its own values.
    /// - A template: what stands before the ordinal in the `id` (nothing where the template has the `id`);
    ///   how many values are an entry's own, and where they stand among names and values, the ordinal
    ///   first; how many names and values, and themselves.
    /// - Answers `ok`, a letter for each entry (see `StreamCursor.Verdict`), how many entries had been
    ///   appended before, how many have vanished from the stream, and how many the bound took unread.
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
                if not words[index] then
                    local text = redis.call('HGET', KEYS[3], 'w' .. index)
                    words[index] = {text = text or string.rep(none, size), taken = {}}
                end
                return words[index]
            end
            local function verdict(ordinal, mark)
                if ordinal == 0 then return 'a' end
                local index = math.floor(ordinal / size)
                if index + count <= last then return 'u' end
                local word, place = word(index), ordinal % size + 1
                local before = word.taken[place] or string.sub(word.text, place * 4 - 3, place * 4)
                if before == mark then return 'h' end
                word.taken[place] = mark
                newest = math.max(newest, index)
                return before == none and 'a' or 'u'
            end
            local verdicts = {}
            local appended = 0
            local at = 9
            while ARGV[at] do
                local entries, prefix, own = tonumber(ARGV[at]), ARGV[at + 1], tonumber(ARGV[at + 2])
                local places = {}
                for i = 1, own do places[i] = 3 + ARGV[at + 2 + i] end
                at = at + 3 + own
                local fields = tonumber(ARGV[at])
                local add = {'XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + fields)}
                local marks = ARGV[at + 1 + fields]
                at = at + 2 + fields
                for i = 1, entries do
                    local text = ARGV[at]
                    local letter = verdict(tonumber(text), string.sub(marks, i * 4 - 3, i * 4))
                    if letter ~= 'h' then
                        if prefix ~= '' then add[5] = prefix .. text end
                        for i = 1, own do add[places[i]] = ARGV[at + i - 1] end
                        if letter == 'u' then add[fields + 4], add[fields + 5] = 'uncertain', '1' end
                        redis.call(unpack(add, 1, letter == 'u' and fields + 5 or fields + 3))
                        appended = appended + 1
                    end
                    verdicts[#verdicts + 1] = letter
                    at = at + own
                end
            end
            for index, word in pairs(words) do
                if index + count > newest and next(word.taken) then
                    local marks, from = {}, 1
                    for place = 1, size do
                        if word.taken[place] then
                            if from < place then
                                marks[#marks + 1] = string.sub(word.text, from * 4 - 3, place * 4 - 4)
                            end
                            marks[#marks + 1] = word.taken[place]
                            from = place + 1
                        end
                    end
                    marks[#marks + 1] = string.sub(word.text, from * 4 - 3)
                    redis.call('HSET', KEYS[3], 'w' .. index, table.concat(marks))
                end
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
        fence + owed + """
            local keep = length > 0 and owed()
            -- Whole nodes first, no more at once than pass quickly; then the rest of one.
            if keep and redis.call('XTRIM', KEYS[1], 'MINID', '~', keep, 'LIMIT', 10000) < 9000 then
                redis.call('XTRIM', KEYS[1], 'MINID', '=', keep)
            end
            redis.call('HSET', KEYS[2], 'length', redis.call('XLEN', KEYS[1]))
            return {'ok', '', string.format('%.0f', number(held[3])), vanished, 0}
            """)

    /// Writes nothing. KEYS: the partition. Answers how many entries stand there, and 0 also where each
    /// group has acknowledged all of them.
    static let left = Script(
        owed + """
            local length = redis.call('XLEN', KEYS[1])
            local keep = length > 0 and owed()
            if keep and not redis.call('XRANGE', KEYS[1], keep, '+', 'COUNT', 1)[1] then return 0 end
            return length
            """)

    /// KEYS: the layout. ARGV: the partitions, the group's name. Answers what stands there, else what was
    /// just written: the format, the partitions, the name; and 1 where no partitions stood there.
    static let layout = Script(
        """
        redis.call('HSETNX', KEYS[1], 'format', '1')
        redis.call('HSETNX', KEYS[1], 'name', ARGV[2])
        local isNew = redis.call('HSETNX', KEYS[1], 'partitions', ARGV[1])
        local found = redis.call('HMGET', KEYS[1], 'format', 'partitions', 'name')
        return {found[1], found[2], found[3], isNew}
        """)
}
