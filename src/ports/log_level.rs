//! What is logged.

/// What is logged, while the process runs. The next start begins with its settings again.
pub trait LogLevel: Send + Sync {
    /// The level or directives in force.
    fn get(&self) -> String;

    /// Puts others in force at once; `Err` says what is wrong with them, and changes nothing.
    fn set(&self, level: &str) -> Result<(), String>;
}
