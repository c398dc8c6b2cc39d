@main struct Lapse { static func main() {} }
