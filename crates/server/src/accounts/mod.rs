//! Accounts: how a person proves who they are, and how guessing is made hopeless.

mod guessing;
mod passwords;

pub(crate) use guessing::{Guess, SIGN_IN};
pub(crate) use passwords::{check_strength, hash, verify};
