import Console
import Endpoints
import FoundationEssentials
import Lapse
import LeaderElection
import LeaderElectionConsul
import LeaderElectionEtcd
import LeaderElectionMySQL
import LeaderElectionRedis
import Logging
import NIOSSL
import RedisClient
import Timing

/// What the options say about the store of an election.
struct StoreOptions: Sendable {
    private let choice: StoreChoice
    private let password: String?
    /// The same, read again when it has changed.
    private let passwordFile: SecretFile?
    private let authority: String?
    private let certificate: String?
    private let key: String?

    init(_ values: OptionValues) throws(Failure) {
        choice = try values(Election.store) ?? .redis
        let file = try values(Election.storePasswordFile)
        authority = try values(Election.storeAuthority)
        certificate = try values(Election.storeCertificate)
        key = try values(Election.storeKey)
        guard choice != .redis || (file == nil && authority == nil && certificate == nil && key == nil) else {
            throw .usage("--store-password-file and --store-tls-…: --store redis has --redis-password-file and --tls-…")
        }
        var ofRedis: [String] = []
        if try values(Election.registers) != nil { ofRedis.append(Election.registers.row.flag) }
        if try !values.all(Election.lockServers).isEmpty { ofRedis.append(Election.lockServers.row.flag) }
        guard choice == .redis || ofRedis.isEmpty else {
            throw .usage(
                "--store: registers and lock servers belong to an election in Redis: leave out "
                    + ofRedis.joined(separator: " and "))
        }
        passwordFile = try file.map { path throws(Failure) in
            try PasswordFile.open(path, Election.storePasswordFile.row)
        }
        password = passwordFile?.current.reveal
    }

    /// A store other than Redis; nil for Redis.
    func open(election: ElectionConfiguration, logger: Logger) throws(Failure) -> (any LeaseStore)? {
        do {
            switch choice {
            case .redis: return nil
            case .etcd(let url):
                var configuration = try EtcdConfiguration(url: url, password: password, tls: etcdFiles(url))
                configuration.passwordFile = passwordFile
                return EtcdLeaseStore(configuration: configuration, name: election.name, logger: logger)
            case .consul(let url):
                var configuration = try ConsulConfiguration(url: url, password: password, tls: files)
                configuration.tokenFile = passwordFile
                return try ConsulLeaseStore(configuration: configuration, name: election.name, logger: logger)
            case .mysql(let url):
                let configuration = try MySQLConfiguration(
                    url: url, password: password, passwordFile: passwordFile, tls: files)
                return MySQLLeaseStore(configuration: configuration, name: election.name, logger: logger)
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .usage("--store: \(error)")
        }
    }

    private var files: TLSFiles { TLSFiles(authority: authority, certificate: certificate, key: key) }

    /// Nil where nothing is encrypted.
    private func etcdFiles(_ url: String) throws(Failure) -> TLSFiles? {
        guard url.hasPrefix("etcd+tls://") else {
            guard files.isEmpty else {
                throw .usage("--store-tls-…: nothing is encrypted: write etcd+tls:// in --store")
            }
            return nil
        }
        do { _ = try files.configuration(named: "--store-tls") } catch { throw .usage(error.description) }
        return files
    }

    /// The store of an election that has nothing to do with expirations. Waits for Redis as `lapse run`
    /// does.
    ///
    /// - Returns: nil when stopping was asked for before Redis was reached.
    func connect(
        _ election: ElectionConfiguration, _ values: OptionValues, logger: Logger, until ending: StopRequest
    ) async throws -> (any LeaseStore)? {
        let deadline = try values(Connection.startupTimeout).map { ContinuousClock.now + $0 }
        if let store = try open(election: election, logger: logger) {
            guard try await isReached(store, election.name, by: deadline, until: ending) else {
                await store.shutDown()
                return nil
            }
            return store
        }
        let configuration = try RedisElectionConfiguration(values)
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
        var told: String?
        while !ending.isAsked {
            do {
                return try await RedisElectionStore.connect(configuration, election: election, logger: logger)
            } catch let error as RegisterError {
                // A refusal is told at once, unless there is a time in which it may pass.
                let isFinal = error.code != .unreachable && deadline == nil
                if isFinal || deadline.map({ ContinuousClock.now >= $0 }) == true { throw Failure(error) }
                if told != error.description {
                    told = error.description
                    logger.warning("waiting for Redis", metadata: ["error": "\(error)"])
                }
            }
            try await pause(backoff.next(), until: ending)
        }
        return nil
    }

    /// The store of an election, for one operation: whatever the deployment is said to be, and no longer
    /// than `deadline`.
    ///
    /// - Throws: ``Failure`` when it is not reached in time.
    func reach(
        _ election: ElectionConfiguration, _ values: OptionValues, logger: Logger, by deadline: ContinuousClock.Instant
    ) async throws -> any LeaseStore {
        if let store = try open(election: election, logger: logger) { return store }
        let configuration = try RedisElectionConfiguration(values, isAnyTopology: true)
        while true {
            do {
                return try await RedisElectionStore.connect(configuration, election: election, logger: logger)
            } catch let error as RegisterError {
                guard ContinuousClock.now < deadline else { throw Failure(error) }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Looks at the election: what only an operator can mend ends the start. Without a deadline a store
    /// that cannot be reached is no reason to wait here: the elector goes on asking.
    ///
    /// - Returns: false when stopping was asked for.
    private func isReached(
        _ store: any LeaseStore, _ name: String, by deadline: ContinuousClock.Instant?, until ending: StopRequest
    ) async throws -> Bool {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(2))
        while !ending.isAsked {
            guard let error = await Self.refusal(of: store, name) else { return true }
            let isDenied = error.code == .denied
            guard isDenied || deadline != nil else { return true }
            guard let deadline, ContinuousClock.now < deadline else {
                await store.shutDown()
                throw Failure(isDenied ? .denied : .unreachable, "--store: \(error)")
            }
            try await pause(backoff.next(), until: ending)
        }
        return false
    }

    /// Ends a start that can come to nothing: refused by the store.
    func check(_ store: any LeaseStore, _ name: String) async throws(Failure) {
        guard let error = await Self.refusal(of: store, name), error.code == .denied else { return }
        await store.shutDown()
        throw Failure(.denied, "--store: \(error)")
    }

    private static func refusal(of store: any LeaseStore, _ name: String) async -> RegisterError? {
        do throws(RegisterError) {
            for register in store.registers { _ = try await register.observe(name) }
            return nil
        } catch { return error }
    }

    private func pause(_ time: Duration, until ending: StopRequest) async throws {
        let deadline = ContinuousClock.now + time
        while !ending.isAsked, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
    }
}

extension RedisElectionConfiguration {
    /// Takes over the options for the connection and the election.
    ///
    /// - Parameter isAnyTopology: what the servers are said to be is passed over, since they are asked.
    fileprivate init(_ values: OptionValues, isAnyTopology: Bool = false) throws(Failure) {
        var connection = ProcessorConfiguration()
        try connection.connect(values)
        guard connection.topology == .auto || isAnyTopology else {
            throw .usage("--topology: elect asks the servers what they are")
        }
        self.init(redis: connection.redis)
        password = connection.password
        passwordFile = connection.passwordFile
        sentinel = connection.sentinel
        announced = connection.announced
        tlsServerName = connection.tlsServerName
        tls = connection.tls
        addressMap = connection.addressMap
        connectTimeout = connection.connectTimeout
        registers = try values(Election.registers)
        lockServers = try values.all(Election.lockServers)
    }
}
