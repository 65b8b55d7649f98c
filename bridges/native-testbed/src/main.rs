//! The native bridge as it may speak to Columba's testbed. It says so in its hello, and a supervisor that was not told of a
//! test refuses it.

fn main() -> std::process::ExitCode {
    columba_bridge_native::main()
}
