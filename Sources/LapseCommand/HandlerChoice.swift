import Lapse
import LapseHandlers
import Processes

/// What `lapse run` does with an expiration.
enum HandlerChoice: Sendable {
    case builtIn(BuiltInHandler)
    case exec([String], hidden: Set<String>)

    /// - Throws: usage, where two are chosen or a program is not there.
    init(_ values: OptionValues, environment: [String: String]) throws {
        let builtIn = try values(Running.handler) ?? .log
        guard let program = try values(Running.exec) else {
            self = .builtIn(builtIn)
            return
        }
        guard !values.isGiven(Running.handler.row) else {
            throw Failure.usage("--exec and --handler \(builtIn.rawValue) exclude each other: give one of them")
        }
        guard Executable.search(program.words[0]) != nil else {
            throw Failure.usage("--exec: there is no program '\(program.words[0])' that can be run; give its path")
        }
        self = .exec(program.words, hidden: SecretVariables.names(in: environment))
    }

    func handling(_ dependencies: BuiltInHandler.Dependencies) -> Handling {
        switch self {
        case .builtIn(let handler): return handler.handler(dependencies)
        case .exec(let words, let hidden):
            let handler = ExecHandler(words, replica: dependencies.replica, without: hidden)
            return .one { try await handler($0, $1) }
        }
    }
}
