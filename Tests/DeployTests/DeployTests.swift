import Testing

/// The files that people deploy with name only options that exist, and wait long enough at the end.
@Suite struct DeployTests {
    @Test func everyFileIsLookedAt() {
        let paths = Set(DeployFile.all.map(\.path))
        let expected: Set = [
            "Dockerfile", "compose.yaml", "README.md", "systemd/lapse.service", "systemd/lapse.env",
            "kubernetes/base/deployment.yaml", "kubernetes/base/lapse.env",
            "kubernetes/overlays/example/kustomization.yaml",
        ]
        #expect(paths.isSuperset(of: expected))
    }

    @Test(.timeLimit(.minutes(1)), arguments: DeployFile.all)
    func everyOptionIsKnownToTheCommand(file: DeployFile) throws {
        let mistakes = try CommandHelp.live.mistakes(in: file)
        #expect(mistakes.isEmpty)
    }

    @Test(arguments: [
        ("compose.yaml", "stop_grace_period", "compose.yaml"),
        ("kubernetes/base/deployment.yaml", "terminationGracePeriodSeconds", "kubernetes/base/lapse.env"),
        ("systemd/lapse.service", "TimeoutStopSec", "systemd/lapse.env"),
    ])
    func theEndIsLongerThanTheDrain(path: String, key: String, environment: String) throws {
        let patience = try #require(DeployFile.named(path)?.seconds(key))
        let drain = try #require(DeployFile.named(environment)?.seconds("LAPSE_DRAIN"))
        // Hand-over and the last progress write come after the drain.
        #expect(patience >= drain + 5)
    }

    /// A refused password ends the service, and passes when an operator sets it: the unit must start it
    /// again.
    @Test func aRefusalIsTriedAgain() throws {
        let unit = try #require(DeployFile.named("systemd/lapse.service"))
        let line = try #require(unit.text.split(separator: "\n").first { $0.hasPrefix("RestartPreventExitStatus=") })
        #expect(line == "RestartPreventExitStatus=64")
        #expect(unit.text.contains("\nRestart=on-failure\n") && unit.text.contains("\nStartLimitIntervalSec=0\n"))
        let compose = try #require(DeployFile.named("compose.yaml"))
        #expect(compose.text.contains("restart: on-failure\n"))
    }

    @Test func noPasswordIsAnArgument() {
        for file in DeployFile.all {
            #expect(!file.text.contains("--redis-password="), "\(file.path)")
            #expect(file.text.firstMatch(of: /rediss?:\/\/[^\/\s]*:[^\/\s]*@/) == nil, "\(file.path)")
        }
    }
}

/// The check itself, against a command whose help is known.
@Suite struct CommandHelpTests {
    private let help = CommandHelp { subcommand in
        switch subcommand {
        case "run": "USAGE: lapse run\n  --redis <url>  servers\n  --lease-ttl <8s>, --exec 'CMD'\n"
        case "doctor": "  --redis <url>\n  --fix"
        default: ""
        }
    }

    private func mistakes(_ text: String) throws -> [String] {
        try help.mistakes(in: DeployFile(path: "f", text: text))
    }

    @Test func knownNamesPass() throws {
        let text = """
            ENTRYPOINT ["lapse", "run", "--redis=redis://a", "--lease-ttl", "8s"]
            LAPSE_LEASE_TTL=8s
            - LAPSE_REDIS: redis://a  # or LAPSE_EXEC
            Environment="LAPSE_REDIS=%d/x"
            run `lapse doctor --fix`.
            --- a rule, and an em--dash
            LAPSE_
            """
        #expect(try mistakes(text) == [])
    }

    @Test(arguments: [
        ("args: [--leese-ttl]", "f: --leese-ttl is no option of lapse run"),
        ("lapse run --fix", "f: --fix is no option of lapse run"),
        ("lapse doctor \\\n  --lease-ttl 8s", "f: --lease-ttl is no option of lapse doctor"),
        ("LAPSE_LEASE: 8s", "f: LAPSE_LEASE stands for --lease, which no subcommand has"),
        ("#LAPSE_NOPE=1", "f: LAPSE_NOPE stands for --nope, which no subcommand has"),
    ])
    func unknownNamesAreFound(line: String, mistake: String) throws {
        #expect(try mistakes(line) == [mistake])
    }

    @Test(arguments: [
        "redis-cli --cluster create \\\n --cluster-yes", "RUN swift build \\\n    --product lapse",
        "COPY --from=build /out/lapse /usr/local/bin/lapse", "#   docker compose up --build",
    ])
    func optionsOfOtherProgramsAreNotOurs(line: String) throws {
        #expect(try mistakes(line) == [])
    }

    @Test func aCommandThatIsNotThereIsAMistake() {
        let broken = CommandHelp { _ in throw CommandHelp.Missing(description: "no command") }
        #expect(throws: CommandHelp.Missing.self) {
            try broken.mistakes(in: DeployFile(path: "f", text: "LAPSE_REDIS=x"))
        }
    }
}
