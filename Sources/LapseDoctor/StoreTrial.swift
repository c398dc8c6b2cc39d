import LeaderElection

/// Asks each register of a store other than Redis what it knows of the election, without taking part in
/// it.
struct StoreTrial {
    let store: any LeaseStore
    let name: String

    /// How long one register may take.
    private static let limit = Duration.seconds(5)
    /// A store of several servers that are asked by turns goes on to the next with each question.
    private static let attempts = 3

    func registers() async -> [DeploymentFacts.StoreRegister] {
        var found: [DeploymentFacts.StoreRegister] = []
        for register in store.registers {
            found.append(.init(label: register.label, error: await Self.trouble(of: register, name)))
        }
        return found
    }

    /// Nil when it answered in time.
    private static func trouble(of register: any LeaseRegister, _ name: String) async -> RegisterError? {
        await withTaskGroup(of: RegisterError?.self) { group in
            // The question and its time: the first to end ends the other, and the group awaits both.
            group.addTask { await Self.refusal(of: register, name) }
            group.addTask {
                try? await Task.sleep(for: Self.limit)
                return RegisterError.timedOut
            }
            for await first in group {
                group.cancelAll()
                return first
            }
            return RegisterError.timedOut
        }
    }

    private static func refusal(of register: any LeaseRegister, _ name: String) async -> RegisterError? {
        var last: RegisterError?
        for _ in 0..<attempts {
            do throws(RegisterError) {
                _ = try await register.observe(name)
                return nil
            } catch {
                guard error.code == .unreachable else { return error }
                last = error
            }
        }
        return last
    }
}
