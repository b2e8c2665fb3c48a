//! Passwords: argon2id with 19 MiB, two passes and one lane, the minimum that OWASP's Password Storage Cheat Sheet names.
//!
//! A hash takes tens of milliseconds and 19 MiB, so it runs off the async threads and only a few at a time; whoever
//! cannot have a turn soon is told that the server is busy, and the memory stays bounded.

use std::sync::OnceLock;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::Problem;
use crate::problem::FieldError;

/// Characters that a password must have. NIST SP 800-63B-4 (2025, section 3.1.1.2) raised the minimum from eight to fifteen
/// for a password that is the only factor, as it is here; a few words are easily that long.
const SHORTEST: usize = 15;
/// Characters that a password may have: a bound on the work, far beyond what anybody types.
const LONGEST: usize = 256;

static TURNS: Semaphore = Semaphore::const_new(4);

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these parameters are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Nothing when a password is long enough to be kept.
pub(crate) fn check_strength(field: &str, password: &str) -> Result<(), FieldError> {
    let count = password.chars().count();
    let detail = if count < SHORTEST {
        format!("has {count} characters; at least {SHORTEST} are needed (a few words are fine)")
    } else if count > LONGEST {
        format!("has {count} characters; at most {LONGEST} are taken")
    } else {
        return Ok(());
    };
    Err(FieldError { field: field.into(), detail })
}

/// The PHC string of a password.
pub(crate) async fn hash(password: String) -> Result<String, Problem> {
    in_turn(move || argon2().hash_password(password.as_bytes()).map(|h| h.to_string())).await?.map_err(
        |error| {
            tracing::error!(%error, "a password could not be hashed");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the password could not be kept; the server's log says why",
            )
        },
    )
}

/// Whether a password is the one that was hashed. Without a hash (nobody has this address) the same work is done, and
/// the answer is no.
pub(crate) async fn verify(password: String, hash: Option<String>) -> Result<bool, Problem> {
    if password.chars().count() > LONGEST {
        return Ok(false);
    }
    in_turn(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| nobody().to_owned());
        argon2().verify_password(password.as_bytes(), hash.as_str()).is_ok() && known
    })
    .await
}

/// A hash that no password has, made with the same parameters.
fn nobody() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let token = crate::session::new_token();
        argon2().hash_password(token.as_bytes()).map(|h| h.to_string()).unwrap_or_default()
    })
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let busy =
        || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "many people are signing in; try again in a moment");
    let turn = tokio::time::timeout(Duration::from_secs(5), TURNS.acquire()).await;
    let _turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| busy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let kept = hash("correct horse battery".into()).await.expect("hashed");
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verify("correct horse battery".into(), Some(kept.clone())).await.expect("answers"));
        assert!(!verify("correct horse batterz".into(), Some(kept.clone())).await.expect("answers"));
        assert!(!verify("correct horse battery".into(), None).await.expect("answers"));
        assert!(!verify("x".repeat(10_000), Some(kept.clone())).await.expect("answers"));
        assert_ne!(kept, hash("correct horse battery".into()).await.expect("hashed"), "salted");
        assert!(argon2().verify_password(b"", nobody()).is_err(), "nobody's hash is a sound one");
    }

    #[test]
    fn short_and_endless_passwords_are_not_taken() {
        assert!(check_strength("/password", "short").is_err());
        assert!(check_strength("/password", &"ä".repeat(15)).is_ok());
        assert!(check_strength("/password", &"x".repeat(257)).is_err());
    }
}
