//! What can go wrong while a world is built. None of it says anything about a target.

use std::io;
use std::path::PathBuf;

/// A world that could not be described or built.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// No scenario has this name.
    #[error("no scenario is called {name:?}; the scenarios are {known}")]
    UnknownScenario {
        /// The name asked for.
        name: String,
        /// Every name there is, separated by commas.
        known: String,
    },
    /// A scenario's file is wrong.
    #[error("scenarios/{file}: {problem}")]
    Description {
        /// The file, below `scenarios/`.
        file: String,
        /// What is wrong and where.
        problem: String,
    },
    /// A recipe is wrong.
    #[error("{file}: {problem}")]
    Recipe {
        /// Its file.
        file: String,
        /// What is wrong and where.
        problem: String,
    },
    /// The Python environment that runs the backend is missing.
    #[error(
        "the lab runs a real Flask backend and found no Python environment with gunicorn and pytest (looked at {looked}); \
             `./run` makes it, and so does scripts/lab-venv; LANDFALL_LAB_VENV names one that is elsewhere"
    )]
    NoPython {
        /// The places looked at, separated by commas.
        looked: String,
    },
    /// A program that the lab needs is not installed.
    #[error("the lab needs {program} and could not start it: {source}; install it and try again")]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// Why it could not be started.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{command} failed with {status}: {output}")]
    Program {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        output: String,
    },
    /// A backend did not come up.
    #[error("the {what} {problem}; the end of its log:\n{log}")]
    Backend {
        /// Which one: `local backend`, `deployment backend`.
        what: String,
        /// How it failed.
        problem: String,
        /// The last lines it wrote.
        log: String,
    },
    /// A file or folder of the world could not be written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A listener could not be opened.
    #[error("cannot listen on loopback for the {what}: {source}")]
    Listen {
        /// Which part.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make the certificate of {name}: {problem}")]
    Certificate {
        /// Its common name.
        name: String,
        /// Why not.
        problem: String,
    },
}
