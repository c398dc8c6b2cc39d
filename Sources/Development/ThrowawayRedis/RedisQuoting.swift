import Foundation

extension String {
    /// One word for a configuration file or for the input of redis-cli, whatever it contains.
    var quotedForRedis: String {
        "\"" + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n") + "\""
    }
}
