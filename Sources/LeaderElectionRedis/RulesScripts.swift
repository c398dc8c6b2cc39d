import RedisClient

/// KEYS: the hash of signatures. A field is a member, its text `1 until` (milliseconds since 1970), and
/// on a line each its terms and its settings.
enum RulesScripts {
    /// ARGV: member, life in ms, terms, settings, ID. Answers taken (member, terms), or signed and in turn
    /// member, settings and end of those that share the ID or have other settings; or unsigned or unsure
    /// (error).
    ///
    /// While a server takes no writes, signatures cannot be renewed: those that have run out count like
    /// living ones, and a replica with the same terms as one of them needs none of its own. Such a word is
    /// as good as a signature of that moment. So when writes come back, other terms wait for a signature's
    /// life of unrefused writes, their own or that of one that has run out, whose terms name its lease: the
    /// field `#` says since when there was none, and when that was last tried. A refused write deletes it;
    /// where that is refused too, its time is not believed for long, and meanwhile a signature that has run
    /// out is worth nothing. A replica's refusal says nothing about its master's writes.
    ///
    /// The hash stays for three days: a server that has too few replicas refuses PEXPIRE as well, but goes
    /// on expiring keys, and what it forgot while it took no writes would count for nothing behind that.
    static let sign = Script(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local life = tonumber(ARGV[2])
        local keep = 259200000
        local all = redis.call('HGETALL', KEYS[1])
        local answer = {'signed'}
        local gone = {}
        local wait = life
        local since, tried = now, 0
        local other, former
        for i = 1, #all, 2 do
          local ends, terms, settings = string.match(all[i + 1], '^1 (%d+)\\n([^\\n]*)\\n([^\\n]*)$')
          ends = tonumber(ends or '0')
          if all[i] == '#' then
            local a, b = string.match(all[i + 1], '^writes (%d+) (%d+)$')
            since, tried = tonumber(a or now), tonumber(b or '0')
          elseif ends <= now or ends > now + keep then
            gone[#gone + 1] = all[i]
            if terms ~= ARGV[3] and ends <= now and ends > now - keep then
              former = {'taken', all[i], terms}
              local lease = tonumber(string.match(terms, '^ttl=(%d+)ms ') or '0')
              wait = math.max(wait, math.min(lease * 3, keep))
            end
          elseif all[i] ~= ARGV[1] then
            if terms ~= ARGV[3] then
              other = {'taken', all[i], terms}
            else
              local id = string.match(all[i], '^(.*)#[^#]*$') or all[i]
              if #answer < 49 and (settings ~= ARGV[4] or id == ARGV[5]) then
                answer[#answer + 1] = all[i]
                answer[#answer + 1] = settings
                answer[#answer + 1] = string.format('%.0f', ends)
              end
            end
          end
        end
        local believed = tried <= now and tried + life / 3 >= now
        if not believed or since > now then since = now end
        local waits = other or (former and now - since < wait)
        local signed
        if waits then
          signed = redis.pcall('HSET', KEYS[1], '#', string.format('writes %.0f %.0f', since, now))
        else
          local ends = string.format('%.0f', now + life)
          signed = redis.pcall('HSET', KEYS[1], ARGV[1], '1 ' .. ends .. '\\n' .. ARGV[3] .. '\\n' .. ARGV[4])
        end
        if type(signed) == 'table' and signed.err then
          if not other and string.sub(signed.err, 1, 8) == 'READONLY' then return {'unsure', signed.err} end
          redis.pcall('PEXPIRE', KEYS[1], keep)
          local deleted = redis.pcall('HDEL', KEYS[1], '#')
          if other then return other end
          local stands = false
          for i = 1, #all, 2 do
            local terms = string.match(all[i + 1], '^1 %d+\\n([^\\n]*)\\n')
            if terms == ARGV[3] then
              stands = true
            elseif terms then
              return {'taken', all[i], terms}
            end
          end
          if type(deleted) == 'table' and deleted.err and believed then return {'unsure', signed.err} end
          if stands then return answer end
          return {'unsigned', signed.err}
        end
        if waits then
          redis.pcall('PEXPIRE', KEYS[1], keep)
          return other or former
        end
        gone[#gone + 1] = '#'
        for i = 1, #gone do if gone[i] ~= ARGV[1] then redis.pcall('HDEL', KEYS[1], gone[i]) end end
        redis.pcall('PEXPIRE', KEYS[1], keep)
        return answer
        """)

    /// ARGV: member.
    static let withdraw = Script("return redis.call('HDEL', KEYS[1], ARGV[1])")

    /// KEYS: the deployment's ID. ARGV: the one to put there if there is none, or nothing.
    static let identify = Script(
        """
        local id = redis.call('GET', KEYS[1])
        if id then return id end
        if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1]) end
        return ARGV[1]
        """)
}
