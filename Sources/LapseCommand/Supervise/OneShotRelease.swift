import Console
import Glibc
import LeaderElection
import Logging

/// Releases the claim of a worker that died, by its value, as the store itself does it:
/// `lapse __release COMMAND-LINE`.
///
/// A process of its own, so that the parent holds no connection and no secret. It has the worker's
/// options, and the claim on standard input.
enum OneShotRelease {
    private static let longestClaim = 8192

    static func run(_ command: any SupervisedCommand) async throws {
        let values = try await command.values()
        let logger = try values.bootstrapLogging()
        let name = try values(Election.name) ?? "default"
        let leaseTTL = try values(Candidacy.leaseTTL) ?? .seconds(8)
        guard let told = ToldClaim(readInput()), told.name == name, told.value.hasPrefix("\(told.id):") else {
            throw Failure(.internal, "release: no claim on standard input")
        }
        let election = ElectionConfiguration(name: name, id: told.id, leaseTTL: leaseTTL, purpose: told.purpose)
        let claim = told.claim(ttl: leaseTTL)
        let pause = try election.timing().operationTimeout
        let deadline = ContinuousClock.now + Parent.releaseLimit(leaseTTL)
        let store = try await StoreOptions(values).reach(election, values, logger: logger, by: deadline)
        // Told again: a vote or a healing renewal of the dead may have been on its way, and no longer than
        // this.
        var times = 0
        while true {
            let isReleased = await release(claim, in: store, logger)
            if isReleased {
                times += 1
                if times == 1 { logger.info("lease released for a worker that died", metadata: ["id": "\(told.id)"]) }
            }
            guard times < 2, ContinuousClock.now < deadline else { break }
            try await Task.sleep(for: isReleased ? pause : min(pause, .milliseconds(100)))
        }
        await store.shutDown()
        if times == 0 { throw Failure(.unreachable, "release: too few of \(store.registers.count) registers answer") }
    }

    /// Whether a majority has it no more.
    private static func release(_ claim: Claim, in store: any LeaseStore, _ logger: Logger) async -> Bool {
        let registers = store.registers
        let answers = await withTaskGroup(of: Bool.self) { group in
            for register in registers {
                group.addTask {
                    do throws(RegisterError) {
                        try await register.release(claim, wake: true)
                        return true
                    } catch {
                        logger.debug("not released", metadata: ["register": "\(register.label)", "error": "\(error)"])
                        return false
                    }
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        return answers > registers.count / 2
    }

    private static func readInput() -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        while bytes.count < longestClaim {
            let count = unsafe read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
        // Too long to be one.
        return []
    }
}
