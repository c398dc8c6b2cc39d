// swift-tools-version: 6.2
import PackageDescription

// The package trait `MySQL` adds the MySQL and MariaDB stores; only with it libmariadb is needed to build.

/// One set of rules for every Swift target: language mode 6, complete concurrency checking,
/// explicit imports, strict memory safety, and no warning left standing.
let rules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

func example(_ name: String) -> Target {
    .executableTarget(
        name: name,
        dependencies: [
            "Lapse", "LeaderElection", logging, lifecycle,
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        ],
        path: "Sources/Examples/\(name)")
}

let package = Package(
    name: "lapse",
    products: [
        .library(name: "Lapse", targets: ["Lapse", "Endpoints"]),
        .library(name: "LapseAdmin", targets: ["LapseAdmin"]),
        .library(name: "LeaderElection", targets: ["LeaderElection", "Endpoints"]),
        .library(name: "LeaderElectionRedis", targets: ["LeaderElectionRedis", "Endpoints"]),
        .library(name: "LeaderElectionEtcd", targets: ["LeaderElectionEtcd", "Endpoints"]),
        .library(name: "LeaderElectionConsul", targets: ["LeaderElectionConsul", "Endpoints"]),
        .library(name: "LeaderElectionMySQL", targets: ["LeaderElectionMySQL", "Endpoints"]),
        .executable(name: "lapse", targets: ["LapseCommand"]),
        .executable(name: "lapse-parent", targets: ["lapse-parent"]),
    ],
    traits: [
        .trait(name: "MySQL", description: "Election over MySQL and MariaDB; needs libmariadb-dev.")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0",
            traits: [.defaults, "CommandLineArguments", "YAML"]),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    ],
    targets: [
        // The house, ground floor first. An arrow only ever points to a row above.
        .target(name: "CHiredisReader", linkerSettings: [.linkedLibrary("hiredis")]),
        .target(name: "RESP", dependencies: ["CHiredisReader", nioCore]),
        .target(name: "Endpoints", dependencies: [nioCore, nioPosix, nioSSL]),
        .target(name: "Timing", dependencies: [nioCore]),
        .target(
            name: "RedisClient",
            dependencies: ["Endpoints", "RESP", "Timing", nioCore, nioPosix, nioSSL, logging]),
        .target(
            name: "LeaderElection", dependencies: ["Timing", nioCore, nioPosix, logging]),
        .target(
            name: "LeaderElectionRedis",
            dependencies: [
                "Endpoints", "LeaderElection", "RedisClient", "RESP", "Timing", nioCore, nioPosix, logging,
            ]),
        .target(
            name: "HTTPClients", dependencies: ["Endpoints", asyncHTTPClient, nioCore, nioSSL]),
        .target(
            name: "LeaderElectionEtcd",
            dependencies: [
                "Endpoints", "HTTPClients", "LeaderElection", "Timing", asyncHTTPClient, nioCore, nioPosix, nioSSL,
                logging,
            ]),
        .target(
            name: "LeaderElectionConsul",
            dependencies: [
                "Endpoints", "HTTPClients", "LeaderElection", "Timing", asyncHTTPClient, nioCore, nioHTTP1, nioSSL,
                logging,
            ]),
        .target(
            name: "CMariaDB", cSettings: [.define("LAPSE_MYSQL", .when(traits: ["MySQL"]))],
            linkerSettings: [.linkedLibrary("mariadb", .when(traits: ["MySQL"]))]),
        .target(
            name: "LeaderElectionMySQL",
            dependencies: ["CMariaDB", "Endpoints", "LeaderElection", "Timing", nioCore, nioPosix, logging]),
        // The keys and fields of a stream of expirations: what its writer and its workers must agree on.
        .target(name: "ExpirationStream", dependencies: ["RESP", nioCore]),
        .target(
            name: "Lapse",
            dependencies: [
                "Endpoints", "ExpirationStream", "LeaderElection", "LeaderElectionRedis", "RedisClient", "RESP",
                "Timing", nioCore, nioPosix, logging, metrics, tracing, lifecycle,
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ]),
        .target(name: "Spawning"),
        .target(name: "Processes", dependencies: ["Spawning"]),
        .target(
            name: "LapseHandlers",
            dependencies: [
                "ExpirationStream", "Lapse", "LeaderElection", "Processes", "RESP", "Spawning", "Timing", nioPosix,
                logging, .product(name: "DequeModule", package: "swift-collections"),
            ]),
        // Apart from the others, so that the demo is built without AsyncHTTPClient.
        .target(
            name: "LapseWebhook",
            dependencies: [
                "Endpoints", "Lapse", "LapseHandlers", "LeaderElection", "Timing", asyncHTTPClient, nioCore, nioHTTP1,
                nioPosix, .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .target(
            name: "LapseDoctor",
            dependencies: [
                "Endpoints", "ExpirationStream", "Lapse", "LeaderElection", "LeaderElectionRedis", "RedisClient",
                "RESP", "Timing", nioCore, nioPosix, logging,
            ]),
        .target(
            name: "LapseAdmin",
            dependencies: [
                "Lapse", "LeaderElection", "Timing", logging, metrics, lifecycle, nioCore,
                .product(name: "Hummingbird", package: "hummingbird"),
            ]),
        // The parent of a worker that can die. No Foundation and no NIO: it has an executable of its own, which is small.
        .target(name: "Supervision", dependencies: ["Spawning"]),
        .executableTarget(
            name: "lapse-parent", dependencies: ["Supervision"], path: "Sources/ParentCommand"),
        .target(
            name: "ThrowawayRedis", dependencies: ["Processes"], path: "Sources/Development/ThrowawayRedis"),
        .target(
            name: "ThrowawayStores", dependencies: ["Processes", "ThrowawayRedis"],
            path: "Sources/Development/ThrowawayStores"),
        // Output, log lines and signals of the commands.
        .target(
            name: "Console", dependencies: ["Lapse", "LapseHandlers", "RESP", "Timing", logging]),
        .target(
            name: "Demonstration", dependencies: ["Console", "ThrowawayRedis"],
            path: "Sources/Development/Demonstration"),
        .executableTarget(
            name: "LapseCommand",
            dependencies: [
                "Console", "Demonstration", "Endpoints", "ExpirationStream", "Lapse", "LapseAdmin", "LapseDoctor",
                "LapseHandlers", "LapseWebhook", "LeaderElection", "LeaderElectionConsul", "LeaderElectionEtcd",
                "LeaderElectionMySQL", "LeaderElectionRedis", "Processes", "RedisClient", "RESP", "Spawning",
                "Supervision", "Timing", asyncHTTPClient, nioCore, nioHTTP1, nioPosix, nioSSL, logging, metrics,
                lifecycle, .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
            ]),

        // Sources/Examples: programs of the manual, compiled and run by the tests.
        example("CartExample"),
        example("LedgerExample"),
        example("WorkerExample"),

        // Sources/Development: what tests and measures the rest. No product names these targets, so
        // a package that uses this one does not get them. SwiftPM makes each executable here a
        // product of the root package, named as its target.

        // The first run, of scripts/demo. In a fresh clone the compilers take 7 processor minutes for
        // `lapse` and 5.5 for this: Hummingbird, AsyncHTTPClient with HTTP/2, ArgumentParser,
        // Configuration and Yams are not in it.
        .executableTarget(
            name: "lapse-demo", dependencies: ["Console", "Demonstration", "Lapse", "LapseHandlers", logging],
            path: "Sources/Development/DemoCommand"),

        // The fault table: real faults against real clusters, and the account.
        .target(
            name: "Chaos", dependencies: ["LeaderElection", "ThrowawayRedis"], path: "Sources/Development/Chaos"),
        .executableTarget(
            name: "lapse-chaos",
            dependencies: [
                "Chaos", "ThrowawayRedis", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Development/ChaosCommand"),

        // The decisions in simulated time: faults by the thousand, drawn from seeds.
        .target(
            name: "Simulation",
            dependencies: ["Lapse", "LeaderElection", "LeaderElectionRedis", "RedisClient", "RESP", "Timing", nioCore],
            path: "Sources/Development/Simulation", exclude: ["README.md"]),
        .executableTarget(
            name: "lapse-simulate",
            dependencies: ["Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Sources/Development/SimulateCommand"),

        // What it costs: processor time per million expirations, beside a bare C loop; and
        // webhooks beside AsyncHTTPClient alone.
        .executableTarget(
            name: "lapse-bench",
            dependencies: [
                "Lapse", "LeaderElection", "LeaderElectionRedis", "ThrowawayRedis", "ThrowawayStores", "Timing",
                asyncHTTPClient, nioCore, nioHTTP1, nioPosix, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Development/BenchCommand"),

        // Tests, a target a module.
        .testTarget(name: "RESPTests", dependencies: ["RESP", "CHiredisReader", nioCore]),
        .testTarget(
            name: "EndpointsTests", dependencies: ["Endpoints", "ThrowawayRedis", nioSSL]),
        .testTarget(name: "TimingTests", dependencies: ["Timing", nioCore, nioPosix]),
        .testTarget(
            name: "LeaderElectionTests",
            dependencies: ["LeaderElection", "Simulation", "Timing", nioCore, nioPosix, logging]),
        .testTarget(
            name: "LeaderElectionRedisTests",
            dependencies: [
                "Endpoints", "LeaderElection", "LeaderElectionRedis", "RedisClient", "RESP", "ThrowawayRedis", "Timing",
                nioCore, nioPosix, logging,
            ]),
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "Endpoints", "HTTPClients", "LeaderElection", "LeaderElectionEtcd", "LeaderElectionConsul",
                "LeaderElectionMySQL", "LeaderElectionRedis", "RedisClient", "RESP", "ThrowawayRedis",
                "ThrowawayStores", "Timing", asyncHTTPClient, nioCore, nioPosix, nioSSL, logging,
            ]),
        .testTarget(
            name: "RedisClientTests",
            dependencies: [
                "Endpoints", "RedisClient", "RESP", "ThrowawayRedis", "Timing", nioCore, nioPosix, nioSSL, logging,
            ]),
        .testTarget(
            name: "ExpirationStreamTests",
            dependencies: ["ExpirationStream", "RESP", "ThrowawayRedis", nioCore]),
        .testTarget(
            name: "LapseTests",
            dependencies: [
                "Endpoints", "ExpirationStream", "Lapse", "LapseDoctor", "LeaderElection", "LeaderElectionRedis",
                "RedisClient", "RESP", "ThrowawayRedis", "Timing", nioCore, nioPosix, logging, tracing,
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
            ]),
        .testTarget(
            name: "LapseHandlersTests", dependencies: ["LapseHandlers", "ThrowawayRedis"]),
        .testTarget(
            name: "LapseWebhookTests",
            dependencies: [
                "Endpoints", "Lapse", "LapseWebhook", "LeaderElection", "ThrowawayRedis", logging,
                .product(name: "Hummingbird", package: "hummingbird"),
            ]),
        .testTarget(
            name: "LapseDoctorTests",
            dependencies: [
                "Endpoints", "ExpirationStream", "Lapse", "LapseDoctor", "LeaderElection", "LeaderElectionRedis",
                "RedisClient", "RESP", "ThrowawayRedis", "Timing", logging,
            ]),
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "Lapse", "LeaderElection"]),
        .testTarget(name: "SupervisionTests", dependencies: ["Supervision"]),
        .testTarget(name: "ThrowawayRedisTests", dependencies: ["ThrowawayRedis"]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "CartExample", "Chaos", "ExpirationStream", "LedgerExample", "LapseCommand", "LapseDoctor",
                "LeaderElectionRedis", "RedisClient", "RESP", "ThrowawayRedis", "WorkerExample",
            ]),
        .testTarget(name: "DeployTests", dependencies: ["LapseCommand"]),
        .testTarget(
            name: "LapseAdminTests",
            dependencies: [
                "LapseAdmin", metrics, logging, .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]),
        .testTarget(
            name: "LapseCommandTests",
            dependencies: [
                "lapse-parent", "Console", "Endpoints", "ExpirationStream", "LapseCommand", "Lapse", "LapseAdmin",
                "LapseHandlers", "LeaderElection", "LeaderElectionRedis", "Processes", "RedisClient", "RESP",
                "Supervision", "ThrowawayRedis", "ThrowawayStores", "Timing", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
    ]
)

for target in package.targets where !["CHiredisReader", "CMariaDB"].contains(target.name) {
    target.swiftSettings = rules
}

// Two rules, checked whenever this manifest is read: an arrow points to a row above, and an
// election without Redis builds without libhiredis.
var reached: [String: Set<String>] = [:]
for target in package.targets {
    reached[target.name] = []
    for dependency in target.dependencies {
        let name: String
        switch dependency {
        case .byNameItem(let own, _): name = own
        case .targetItem(let own, _): name = own
        default: continue
        }
        guard let further = reached[name] else {
            fatalError("\(target.name) depends on \(name), which stands below it in Package.swift")
        }
        reached[target.name]?.formUnion(further.union([name]))
    }
}
for election in ["LeaderElection", "LeaderElectionEtcd", "LeaderElectionConsul", "LeaderElectionMySQL"] {
    if let redis = reached[election]?.intersection(["CHiredisReader", "RESP", "RedisClient"]).first {
        fatalError("\(election) depends on \(redis)")
    }
}

// The parts, counted. They see what is `package`, so they belong to this package; but a user of it should not have to fetch
// the tool that counts, and a trait cannot leave out a target. So it is there on request: `scripts/bench-counts` asks for it.
if Context.environment["LAPSE_BENCHMARKS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []))
    package.targets += [
        .target(name: "CAllocationCount", path: "Benchmarks/CAllocationCount"),
        .executableTarget(
            name: "PartsBenchmarks",
            dependencies: [
                "CAllocationCount", "Endpoints", "Lapse", "LeaderElection", "LeaderElectionRedis", "RedisClient",
                "RESP", "Timing", nioCore, nioPosix, logging, .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/PartsBenchmarks", swiftSettings: rules),
    ]
}
