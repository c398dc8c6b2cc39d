import Foundation
import Glibc

/// All that this process's children have started, as far down as it goes.
package enum Descendants {
    /// Takes in every child that ends, and writes the wait status of `child` to a descriptor when it is
    /// that one.
    package static func reap(until child: Int32, telling descriptor: Int32) {
        let thread = Thread {
            while true {
                var status: Int32 = 0
                let pid = unsafe waitpid(-1, &status, 0)
                if pid == child { _ = unsafe write(descriptor, &status, MemoryLayout<Int32>.size) }
                if pid < 0, errno == ECHILD { usleep(20_000) }
            }
        }
        thread.name = "reaping"
        thread.start()
    }

    /// Kills a process group, and then all descendants, until the last one is reaped. One that forks
    /// meanwhile is found by a later look. For a process that is a ``Subreaper`` and reaps.
    ///
    /// Where one cannot be killed within ten seconds, this process ends by a signal: its own end would say
    /// that none is left.
    package static func killAll(group: Int32) {
        if group > 0 { _ = kill(-group, SIGKILL) }
        for _ in 0..<10_000 {
            let living = all(below: getpid())
            if living.isEmpty, hasNoChild { return }
            for pid in living { _ = kill(pid, SIGKILL) }
            usleep(1000)
        }
        _ = kill(getpid(), SIGKILL)
    }

    /// Whether the kernel knows of no child of this process, living or not reaped: so there is no
    /// descendant of a subreaper either. A list of processes proves nothing: one that forks and ends while
    /// the list is read is not in it, and neither is its child.
    private static var hasNoChild: Bool {
        var info = unsafe siginfo_t()
        return unsafe waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD
    }

    /// The processes below `root`, also those that have ended and were not reaped yet, as far as they are
    /// seen.
    static func all(below root: Int32) -> [Int32] {
        var children: [Int32: [Int32]] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = Int32(name), let parent = parent(of: pid) else { continue }
            children[parent, default: []].append(pid)
        }
        var found: [Int32] = []
        var open = [root]
        while let next = open.popLast() {
            for child in children[next] ?? [] {
                open.append(child)
                found.append(child)
            }
        }
        return found
    }

    private static func parent(of pid: Int32) -> Int32? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        // Behind the name, which may hold anything.
        guard let name = text.lastIndex(of: ")") else { return nil }
        let words = text[text.index(after: name)...].split(separator: " ")
        return words.count > 1 ? Int32(words[1]) : nil
    }
}
