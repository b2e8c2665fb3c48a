//! What the person at the terminal reads when a call cannot be carried out.

use landfall_audit::ExitStatus;

/// A call that failed, with the exit status that says whose fault it is.
#[derive(Debug)]
pub(crate) struct Failure {
    status: ExitStatus,
    text: String,
    interrupted: bool,
}

impl Failure {
    /// The call was wrong: usage, configuration, a file that is not what it should be.
    pub(crate) fn usage(text: impl std::fmt::Display) -> Self {
        Self { status: ExitStatus::Usage, text: text.to_string(), interrupted: false }
    }

    /// The call was right, but the work could not be done.
    pub(crate) fn unable(text: impl std::fmt::Display) -> Self {
        Self { status: ExitStatus::Nothing, text: text.to_string(), interrupted: false }
    }

    /// The person at the terminal ended it.
    pub(crate) fn interrupted() -> Self {
        Self { interrupted: true, ..Self::unable("interrupted") }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    pub(crate) fn status(&self) -> ExitStatus {
        self.status
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Errors may quote input, and input may carry a secret.
        write!(f, "landfall: {}", landfall_evidence::redact_text(&self.text))
    }
}

impl From<landfall_audit::PlanError> for Failure {
    fn from(error: landfall_audit::PlanError) -> Self {
        Self::usage(error)
    }
}

impl From<landfall_audit::ConfigError> for Failure {
    fn from(error: landfall_audit::ConfigError) -> Self {
        Self::usage(error)
    }
}
