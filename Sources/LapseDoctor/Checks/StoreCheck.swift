import LeaderElection
import RedisClient

/// Every register of a store other than Redis answers: while it does not, no replica can lead.
struct StoreCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        (facts.storeRegisters ?? []).compactMap { register in
            guard let error = register.error else { return nil }
            let isDenied = error.code == .denied
            return DoctorFinding(
                .breaks, "store", isDenied ? "the store refuses Lapse" : "the store does not answer",
                "\(register.label): \(error). While it is so, no replica can lead.",
                fix: isDenied
                    ? "give --store, --store-password-file and --store-tls-… what the store asks for, and the user its rights"
                    : "start it, open its port to this machine, or correct --store")
        }
    }
}
